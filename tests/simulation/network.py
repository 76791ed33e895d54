"""What is between gateways and workers: agents that lose, delay, repeat and reorder whole messages, and break nothing else.

Both ends are compared: what the server reads with what the gateway meant, and each repeat's answer with the first.
"""

from collections.abc import Callable
from itertools import count

import msgspec

from ocs.limits import ANSWERS_REMEMBERED
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest, Outcome
from tests.simulation import wire
from tests.simulation.gateways import Caller
from tests.simulation.operators import Operators
from tests.simulation.peers import Link
from tests.simulation.scene import Scene
from tests.simulation.worker import Reply, Worker
from tests.support.auditor import BUSY
from tests.support.books import check, key_of
from tests.support.requests import copy_of

# Agents do not keep a message for longer.
COPY_LIFETIME_MS = 60_000
OPENINGS = {CCRequestType.INITIAL, CCRequestType.EVENT}


class Network:
    """Messages on their way, in no order."""

    def __init__(self, scene: Scene, operators: Operators) -> None:
        self.random = scene.random
        self.clock = scene.clock
        self.auditor = scene.auditor
        self.sites = scene.sites
        self._operators = operators
        self._note = scene.note
        self._hops = count(1)
        self._meant: dict[int, ChargingRequest] = {}
        self._via: dict[int, tuple[Caller, ChargingRequest]] = {}
        self._octets: dict[int, bytes] = {}
        self._to_engines: list[tuple[int, Caller, ChargingRequest]] = []
        self._to_gateways: list[tuple[Caller, ChargingRequest, bytes]] = []
        # Who deals with what workers ask of gateways; set once there is anybody.
        self.on_demand: Callable[[Link, bytes], None] = lambda link, octets: None
        self.on_gone: Callable[[Worker, str, str], None] = lambda worker, account_id, session_id: None

    @property
    def has_requests(self) -> bool:
        return bool(self._to_engines)

    @property
    def has_answers(self) -> bool:
        return bool(self._to_gateways)

    @property
    def _under_way(self) -> list[ChargingRequest]:
        return [*(request for _, _, request in self._to_engines), *self.auditor.under_way]

    def _under_way_of(self, session_id: str) -> set[int]:
        """End-to-End Identifiers of a session's requests that are on their way, or being dealt with."""
        return {request.end_to_end_id for request in self._under_way if request.session_id == session_id}

    def may_open_something(self, identity: str) -> bool:
        """Whether a request that opens something for an identity is on its way, or being dealt with."""
        return any(
            request.request_type in OPENINGS and identity in request.subscription_ids
            for request in self._under_way
        )

    def say(self, caller: Caller) -> None:
        if caller.may_open_something(caller.identity) and self._operators.is_under_way(caller.identity):
            return
        if len(self._under_way_of(caller.session_id)) >= ANSWERS_REMEMBERED:
            return  # a session remembers no more
        is_again = caller.pending
        request = caller.next_request()
        if is_again is request:
            request = copy_of(request)
        self._meant[request.end_to_end_id] = request
        self._note(
            "says", request.session_id, request.request_type.name, request.request_number, request.services
        )
        self._to_engines.append((self.clock.now_ms(), caller, request))

    def deliver_request(self, worker: Worker) -> None:
        if not self._to_engines:
            return
        sent_ms, caller, request = self._to_engines.pop(self.random.randrange(len(self._to_engines)))
        if self.clock.now_ms() - sent_ms > COPY_LIFETIME_MS:
            return
        self._note("arrives", request.session_id, request.request_number, "at", worker.name)
        hop = next(self._hops)
        self._via[hop] = caller, request
        worker.node.link(caller.host).receive(wire.with_hop(wire.encode_credit_control(request), hop))

    def submit(self, worker: Worker, decoded: ChargingRequest, reply: Reply) -> None:
        """The Diameter side hands a request to the engine: it must be what the gateway meant."""
        meant = self._meant[decoded.end_to_end_id]
        meant = msgspec.structs.replace(
            meant, fingerprint=decoded.fingerprint, retransmitted=decoded.retransmitted
        )
        check(_without_empty(decoded) == _without_empty(meant), "read", decoded, "meant", meant)
        worker.engine.submit(decoded, self.watched(meant, reply))

    def watched(self, meant: ChargingRequest, reply: Reply) -> Reply:
        """Charging is asked something, by whatever protocol: judge its answer before it leaves."""
        self.auditor.sent[key_of(meant)] = meant
        watch = self.auditor.arrived(meant)

        def answered(answer: ChargingAnswer) -> None:
            self._note("answered", meant.session_id, meant.request_number, answer)
            if answer.outcome == Outcome.USER_UNKNOWN and self._operators.is_moving(meant):
                watch.was_nobody = True
            if answer.outcome == Outcome.UNKNOWN_SESSION and self._operators.is_lost_by_a_move(meant):
                watch.was_absent = watch.is_lost = True
            self.auditor.answered(meant, answer, watch)
            if key_of(meant) in self.auditor.acknowledged and answer.outcome not in BUSY:
                self.sites.check_durable(key_of(meant))
            reply(answer)

        return answered

    def hear(self, host: str, octets: bytes) -> None:
        """An answer leaves a worker; what is between may lose it, delay it, and bring it twice."""
        caller, request = self._via[wire.command_of(octets)[2]]
        check(caller.host == host, "answered to another gateway:", caller.host, host)
        check(octets[16:20] == request.end_to_end_id.to_bytes(4, "big"), "another End-to-End Identifier")
        if wire.decode_answer(octets).outcome not in {Outcome.UNABLE_TO_DELIVER, Outcome.UNKNOWN_SESSION}:
            self._check_same_octets(request, octets)
        self._to_gateways.append((caller, request, octets))

    def hear_demand(self, link: Link, octets: bytes) -> None:
        """A request of ours leaves a worker."""
        self.on_demand(link, octets)

    def is_gone(self, worker: Worker, account_id: str, session_id: str) -> None:
        """A worker has heard from a gateway that it has no such session."""
        self.on_gone(worker, account_id, session_id)

    def _check_same_octets(self, request: ChargingRequest, octets: bytes) -> None:
        """A repeat gets the first answer to the octet, header apart."""
        if request.request_type == CCRequestType.EVENT and request.requested_action not in {0, 1}:
            return  # an enquiry says what is now
        first = self._octets.setdefault(request.end_to_end_id, octets[20:])
        outcomes = {wire.decode_answer(bytes(20) + one).outcome for one in (first, octets[20:])}
        check(
            first == octets[20:] or not outcomes.isdisjoint({Outcome.USER_UNKNOWN, Outcome.REPEATED_WITH_OTHER_CONTENT}),
            "not the first octets:", request, first, octets[20:],
        )  # fmt: skip

    def deliver_answer(self) -> None:
        if self._to_gateways:
            caller, request, octets = self._to_gateways.pop(self.random.randrange(len(self._to_gateways)))
            caller.hear(request, wire.decode_answer(octets))

    def lose_request(self) -> None:
        if self._to_engines:
            self._to_engines.pop(self.random.randrange(len(self._to_engines)))

    def lose_answer(self) -> None:
        if self._to_gateways:
            self._to_gateways.pop(self.random.randrange(len(self._to_gateways)))

    def double_request(self) -> None:
        if self._to_engines:
            sent_ms, caller, request = self.random.choice(self._to_engines)
            self._to_engines.append((sent_ms, caller, copy_of(request)))

    def double_answer(self) -> None:
        if self._to_gateways:
            self._to_gateways.append(self.random.choice(self._to_gateways))

    def forget(self) -> None:
        """Nothing of what is under way arrives."""
        self._to_engines.clear()
        self._to_gateways.clear()


def _without_empty(request: ChargingRequest) -> ChargingRequest:
    """In the plain form nothing tells a service that nothing is said of from no service."""
    if request.multiple_services or any(asked.used or asked.requested for asked in request.services):
        return request
    return msgspec.structs.replace(request, services=())
