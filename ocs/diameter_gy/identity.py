"""Who we are towards Diameter peers."""

from dataclasses import dataclass, field
from typing import Final

from ocs.diameter_gy.avp import diameter_identity, unsigned32

ORIGIN_HOST: Final = 264
ORIGIN_REALM: Final = 296
ORIGIN_STATE_ID: Final = 278


@dataclass(frozen=True)
class NodeIdentity:
    """This node's names; the AVPs that every message of ours carries are encoded once.

    A change of Origin-State-Id (sessions were lost, RFC 6733 section 8.16) is a new identity.

    Attributes:
        origin_state_id: None to leave Origin-State-Id out.
        host_ip_addresses: what we listen on, for CEA.
        origin_avps: Origin-Host and Origin-Realm, encoded.
        origin_state_avps: Origin-Host, Origin-Realm and, when known, Origin-State-Id, encoded.
    """

    origin_host: str
    origin_realm: str
    product_name: str = ""
    origin_state_id: int | None = None
    host_ip_addresses: tuple[str, ...] = ()
    origin_avps: bytes = field(init=False, repr=False, compare=False)
    origin_state_avps: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        origin = diameter_identity(ORIGIN_HOST, self.origin_host) + diameter_identity(
            ORIGIN_REALM, self.origin_realm
        )
        state = b"" if self.origin_state_id is None else unsigned32(ORIGIN_STATE_ID, self.origin_state_id)
        object.__setattr__(self, "origin_avps", origin)
        object.__setattr__(self, "origin_state_avps", origin + state)
