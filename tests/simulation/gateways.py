"""Gateways: what sessions ask and report, how they resend, give up, vanish and come back."""

from collections.abc import Iterator
from random import Random

import msgspec
from msgspec.structs import replace

from ocs.messages import (
    NO_CONTEXT,
    CCRequestType,
    ChargingAnswer,
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
    RequestedAction,
    RoleOfNode,
    Service,
    ServiceUnit,
    TariffChangeUsage,
    UsageContext,
)
from tests.support.requests import ASK_US, events, mscc, octets, request, seconds

TRANSIENT = {Outcome.TOO_BUSY, Outcome.UNABLE_TO_DELIVER}
DATA_GROUPS = (1, 10, 11, 15, 20, 50, 50, 60, 91, 91, 92, 93, 94, 95)
POOLED = frozenset({94, 95})
NUMBERS = ("491711", "331", "12025550")
ACTIONS = tuple(RequestedAction)


class Caller:
    """One session (or one-time event) of one subscriber at one gateway.

    Args:
        numbers: gives End-to-End Identifiers.
    """

    def __init__(
        self,
        random: Random,
        host: str,
        session_id: str,
        identity: str,
        started_s: int,
        numbers: Iterator[int],
    ) -> None:
        self._random = random
        self._numbers = numbers
        self.host = host
        self.session_id = session_id
        self.identity = identity
        self._started_s = started_s
        self._number = 0
        self._granted: dict[int | None, int] = {}
        self._has_switch: dict[int | None, bool] = {}
        self.pending: ChargingRequest | None = None
        self._is_open = False
        self._was_granted = False
        self.is_over = False
        self.is_asked_again = False
        self.must_end = False
        self.kind = random.choice((Service.DATA, Service.DATA, Service.VOICE, Service.SMS))
        self._context = NO_CONTEXT
        if self.kind == Service.VOICE:
            self._context = UsageContext(random.choice(NUMBERS), role_of_node=RoleOfNode.ORIGINATING)
        groups = dict.fromkeys(random.sample(DATA_GROUPS, random.randint(1, 3)))
        if POOLED & groups.keys():
            groups |= dict.fromkeys(sorted(POOLED))
        self._groups: tuple[int | None, ...] = tuple(groups) if self.kind == Service.DATA else (None,)

    def may_open_something(self, identity: str) -> bool:
        """Whether a request of it that opens something for an identity has no answer, or is yet to be made."""
        return not self.is_over and not self._is_open and identity == self.identity

    def next_request(self) -> ChargingRequest:
        """The next thing to say; or the last one again, while it has no answer."""
        random = self._random
        if self.pending is not None:
            if random.random() < 0.85 or self.kind == Service.SMS or not self._is_open:
                return self.pending
            # The gateway gives up on this request and goes on with the next number. Not on an INITIAL: a session
            # that was never granted anything has nothing to say. Some use the same number for other content.
            if self.pending.request_type == CCRequestType.UPDATE and random.random() < 0.5:
                self._number -= 1
                self.pending = self._request(CCRequestType.UPDATE)
                self._number += 1
                return self.pending
            self.pending = None
        if self.kind == Service.SMS:
            self.pending = self._event()
        elif not self._is_open and self._number == 0:
            self.pending = self._request(CCRequestType.INITIAL)
        elif not self.must_end and (self.is_asked_again or random.random() < 0.7):
            self.is_asked_again = False
            self.pending = self._request(CCRequestType.UPDATE)
        else:
            self.pending = self._request(CCRequestType.TERMINATION)
        self._number += 1
        return self.pending

    def _event(self) -> ChargingRequest:
        asked = mscc(None, requested=events(self._random.randint(1, 3)))
        return self._make(CCRequestType.EVENT, (asked,), action=self._random.choice(ACTIONS))

    def _request(self, request_type: CCRequestType) -> ChargingRequest:
        services: list[MultipleServicesCreditControl] = []
        for group in self._groups:
            if self._random.random() < 0.15 and request_type == CCRequestType.UPDATE:
                continue
            used = () if request_type == CCRequestType.INITIAL else self._used(group)
            wanted = None if request_type == CCRequestType.TERMINATION else self._wanted()
            services.append(mscc(group, requested=wanted, used=used))
        return self._make(request_type, tuple(services))

    def _wanted(self) -> ServiceUnit | None:
        chance = self._random.random()
        if chance < 0.1:
            return None
        return ASK_US if chance < 0.5 else self._unit(self._random.randint(1, 4000))

    def _used(self, group: int | None) -> tuple[ServiceUnit, ...]:
        """Mostly a part of the grant, sometimes more than it, sometimes cut in two."""
        granted = self._granted.get(group, 0)
        most = granted if self._random.random() < 0.8 else granted * 6 // 5 + 5
        used = self._random.randint(0, most)
        if used and self._has_switch.get(group):
            # How much of it before the switch, the gateway knows; sometimes it does not.
            # The two parts differ, so that a reader can tell them from one part told twice.
            before = self._random.randint(0, used)
            before = used if before * 2 == used else before
            side = self._random.choice((TariffChangeUsage.BEFORE, TariffChangeUsage.INDETERMINATE))
            parts = (
                replace(self._unit(before), tariff_change_usage=side),
                replace(self._unit(used - before), tariff_change_usage=TariffChangeUsage.AFTER),
            )
            return parts[:: self._random.choice((1, -1))]
        if used > 3 and self._random.random() < 0.2:
            return self._unit(used // 3), self._unit(used - used // 3)
        return (self._unit(used),) if used or self._random.random() < 0.5 else ()

    def _unit(self, amount: int) -> ServiceUnit:
        return octets(amount) if self.kind == Service.DATA else seconds(amount)

    def _make(
        self,
        request_type: CCRequestType,
        services: tuple[MultipleServicesCreditControl, ...],
        action: RequestedAction | None = None,
    ) -> ChargingRequest:
        # Only a session that was opened is known by its Session-Id alone.
        identities = () if self._was_granted and self._random.random() < 0.3 else (self.identity,)
        made = request(
            request_type, self._number, *services, session_id=self.session_id, service=self.kind,
            identities=identities, action=action, context=self._context, event_time_s=self._started_s,
            multiple_services=self.kind == Service.DATA, origin_host=self.host,
        )  # fmt: skip
        return msgspec.structs.replace(made, end_to_end_id=next(self._numbers))

    def hear(self, request: ChargingRequest, answer: ChargingAnswer) -> None:
        """Take an answer; one to an earlier request changes nothing."""
        if (
            self.pending is None
            or request.end_to_end_id != self.pending.end_to_end_id
            or answer.outcome in TRANSIENT
        ):
            return
        self.pending = None
        if request.request_type in {CCRequestType.EVENT, CCRequestType.TERMINATION}:
            self.is_over = True
            return
        self._is_open = True
        self._was_granted |= answer.outcome == Outcome.SUCCESS
        for service in answer.services:
            granted = service.granted
            if granted is not None:
                self._granted[service.rating_group] = granted.total_octets or granted.time_s or 0
                self._has_switch[service.rating_group] = service.tariff_time_change_s is not None
        # A refused gateway mostly says goodbye; some forget to.
        if answer.outcome != Outcome.SUCCESS and self._random.random() < 0.5:
            self.is_over = True
