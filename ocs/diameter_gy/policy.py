"""What the operator decided about Gy: tolerance towards gateways, and what every answer carries."""

from collections.abc import Iterable
from typing import Final, Literal, Self

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import enumerated
from ocs.diameter_gy.ccr_decoder import TOLERANT_CONTAINERS, CreditControlRequestDecoder, RoutingCheck
from ocs.settings import Settings

FailureHandling = Literal["terminate", "continue", "retry_and_terminate"]

# RFC 8506 sections 8.4 and 8.14.
_FAILOVER: Final = {False: 0, True: 1}
_FAILURE_HANDLING: Final[dict[FailureHandling, int]] = {
    "terminate": 0,
    "continue": 1,
    "retry_and_terminate": 2,
}


class PolicyError(ValueError):
    """A setting that cannot be followed."""


class GyPolicy:
    """The operator's decisions in the form in which requests are read and answers are written.

    Attributes:
        decoder: reads requests under this policy, and remembers what repeats.
        session_failover_avp: CC-Session-Failover, encoded.
        failure_handling_avp: Credit-Control-Failure-Handling, encoded.
    """

    def __init__(
        self,
        *,
        tolerate_unknown_mandatory_in: Iterable[str] = ("Service-Information",),
        session_failover: bool = True,
        credit_control_failure_handling: FailureHandling = "terminate",
        currency: str = "",
        check_routing: RoutingCheck | None = None,
    ) -> None:
        """Make a policy.

        Args:
            tolerate_unknown_mandatory_in: names of TOLERANT_CONTAINERS.
            session_failover: whether a gateway may go on with a session at another node of ours.
            credit_control_failure_handling: what a gateway does when it hears nothing from us.
            currency: ISO 4217 code of CC-Money without Currency-Code; without it such money has no currency,
                and rates as no account's.
            check_routing: raises for requests that are for another node; None lets all pass.

        Raises:
            PolicyError: a container that is not one of TOLERANT_CONTAINERS.
        """
        tolerated = frozenset(tolerate_unknown_mandatory_in)
        if not tolerated <= TOLERANT_CONTAINERS:
            raise PolicyError(
                f"[diameter] tolerate_unknown_mandatory_in: {', '.join(sorted(tolerated - TOLERANT_CONTAINERS))}"
                f" is none of {', '.join(sorted(TOLERANT_CONTAINERS))}"
            )
        self.decoder = CreditControlRequestDecoder(tolerated, currency, check_routing)
        self.session_failover_avp = enumerated(codes.CC_SESSION_FAILOVER, _FAILOVER[session_failover])
        self.failure_handling_avp = enumerated(
            codes.CREDIT_CONTROL_FAILURE_HANDLING, _FAILURE_HANDLING[credit_control_failure_handling]
        )

    @classmethod
    def from_settings(
        cls, settings: Settings, *, currency: str = "", check_routing: RoutingCheck | None = None
    ) -> Self:
        """Make the policy that the configuration says.

        Raises:
            PolicyError: a setting that cannot be followed.
        """
        return cls(
            tolerate_unknown_mandatory_in=settings.diameter.tolerate_unknown_mandatory_in,
            session_failover=settings.charging.session_failover,
            credit_control_failure_handling=settings.charging.credit_control_failure_handling,
            currency=currency,
            check_routing=check_routing,
        )
