"""What is between access servers and workers: datagrams that are lost, doubled, delayed and reordered.

Both ends are compared: what the server reads with what the access server means, each repeat's reply with the first,
and what was acknowledged with what is charged.
"""

from dataclasses import dataclass
from itertools import count

from ocs.balance.model import SessionState
from ocs.limits import ANSWERS_REMEMBERED
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest, Outcome
from ocs.radius.codes import Code
from ocs.radius.service import Door
from tests.simulation import radius_wire as wire
from tests.simulation.access_servers import SECRET, SERVERS, Login, Told
from tests.simulation.network import COPY_LIFETIME_MS, Network
from tests.simulation.scene import Scene
from tests.simulation.worker import Reply, Worker
from tests.support.books import AuditError, check, key_of
from tests.support.counters import Counters

LOGINS_MAX = 4
_PORT = 40_000
_TYPES = {
    0: {CCRequestType.INITIAL},
    wire.START: {CCRequestType.INITIAL, CCRequestType.UPDATE},
    wire.INTERIM_UPDATE: {CCRequestType.INITIAL, CCRequestType.UPDATE},
    wire.STOP: {CCRequestType.INITIAL, CCRequestType.TERMINATION},
}
# A report that is acknowledged so is not charged, and the operator is told (docs/radius.md).
_UNCHARGED = {Outcome.USER_UNKNOWN, Outcome.MISSING_SUBSCRIPTION, Outcome.UNKNOWN_SESSION}


@dataclass
class _Delivery:
    """A datagram while a worker deals with it.

    Attributes:
        session_id: as charging knows it. outcome: of what it was asked last; None while it was asked nothing.
    """

    told: Told
    session_id: str = ""
    outcome: Outcome | None = None


class RadiusNetwork:
    """Datagrams on their way, in no order.

    Args:
        network: judges what charging is asked and answers, by whatever protocol.
        users: who may log in.
    """

    def __init__(self, scene: Scene, network: Network, users: list[str]) -> None:
        self._random = scene.random
        self._clock = scene.clock
        self._auditor = scene.auditor
        self._note = scene.note
        self._network = network
        self._users = users
        self._names = count(1)
        self._logins: dict[str, Login] = {}
        self._to_workers: list[tuple[int, Told]] = []
        self._to_servers: list[tuple[Told, bytes]] = []
        self._delivery: _Delivery | None = None
        self._sessions: dict[str, str] = {}  # Session-Id of ours -> session of an access server
        self._replies: dict[bytes, bytes] = {}

    # --- Access servers ---------------------------------------------------------------------------------

    def begin(self) -> None:
        if len(self._logins) < LOGINS_MAX:
            name = f"s{next(self._names)}"
            server, user = self._random.choice(SERVERS), self._random.choice(self._users)
            self._logins[name] = Login(self._random, server, name, user, self._clock.now_ms())

    def speak(self) -> None:
        """Somebody logs in, reports, or repeats himself."""
        self._logins = {name: login for name, login in self._logins.items() if not login.is_over}
        if self._logins:
            name = self._random.choice(list(self._logins))
            if sum(told.session == name for _, told in self._to_workers) >= ANSWERS_REMEMBERED - 1:
                return  # a session remembers no more
            told = self._logins[name].next_packet(self._clock.now_ms())
            self._note("reports", told.session, told.server.client.name, told.status, told.counters)
            self._to_workers.append((self._clock.now_ms(), told))

    def begin_anew(self, worker: Worker) -> None:
        """An access server starts again: all its sessions are over, and it says so (RFC 2866 section 4.1)."""
        server = self._random.choice(SERVERS)
        self._note("starts anew:", server.client.name)
        self._logins = {name: each for name, each in self._logins.items() if each.server is not server}
        self._to_workers = [(ms, told) for ms, told in self._to_workers if told.server is not server]
        attributes = wire.text(wire.NAS_IDENTIFIER, f"{server.client.name}-1")
        attributes += wire.integer(wire.ACCT_STATUS_TYPE, wire.ACCOUNTING_ON)
        octets = wire.accounting_request(self._random.randrange(256), SECRET, attributes)
        worker.radius.take(Door.ACCOUNTING, octets, server.host, _PORT, lambda _: None)

    def end_sessions(self, worker: Worker, origin_host: str, before_ms: int) -> None:
        """What a worker does with the sessions of an access server that started again."""
        for session in list(self._auditor.history.values.sessions.values()):
            is_open = session.state is SessionState.OPEN
            if is_open and session.origin_host == origin_host and session.opened_ms < before_ms:
                self._auditor.evidence.gone.add(session.session_id)
                worker.engine.expire(session.account_id, session.session_id, is_gone=True)

    def leave(self) -> None:
        """Nobody is there any more, and nothing arrives."""
        self._logins = {}
        self._to_workers.clear()
        self._to_servers.clear()

    # --- On the way to us -------------------------------------------------------------------------------

    @property
    def has_requests(self) -> bool:
        return bool(self._to_workers)

    def deliver_request(self, worker: Worker) -> None:
        if not self._to_workers:
            return
        sent_ms, told = self._to_workers.pop(self._random.randrange(len(self._to_workers)))
        if self._clock.now_ms() - sent_ms > COPY_LIFETIME_MS:
            return
        self._note("arrives", told.session, told.status, "at", worker.name)
        delivery = _Delivery(told)
        door = Door.ACCOUNTING if told.status else Door.AUTHORISATION
        self._delivery = delivery
        worker.radius.take(
            door, told.octets, told.server.host, _PORT, lambda reply: self._replied(delivery, reply)
        )
        self._delivery = None

    def lose(self) -> None:
        """A datagram is lost, either way."""
        packets = self._random.choice((self._to_workers, self._to_servers))
        if packets:
            packets.pop(self._random.randrange(len(packets)))

    def double(self) -> None:
        if self._to_workers:
            self._to_workers.append(self._random.choice(self._to_workers))

    # --- Between RADIUS and charging --------------------------------------------------------------------

    def submit(self, worker: Worker, decoded: ChargingRequest, reply: Reply) -> None:
        """The RADIUS side asks charging: it must ask what the access server means."""
        delivery = self._delivery
        if delivery is None:
            raise AuditError(f"nobody has asked: {decoded}")
        self._check_meant(decoded, delivery.told)
        delivery.session_id = decoded.session_id
        if delivery.told.counters is not None:
            self._auditor.evidence.counters[key_of(decoded)] = delivery.told.counters

        def answered(answer: ChargingAnswer) -> None:
            delivery.outcome = answer.outcome
            self._delivery = delivery
            reply(answer)
            self._delivery = None

        worker.engine.submit(decoded, self._network.watched(decoded, answered))

    def _check_meant(self, decoded: ChargingRequest, told: Told) -> None:
        name = self._sessions.setdefault(decoded.session_id, told.session)
        check(name == told.session, "two sessions under one name:", decoded, told)
        check(decoded.subscription_ids == (told.identity,), "another user:", decoded, told)
        check(decoded.request_type in _TYPES[told.status], "another kind:", decoded, told)
        check(decoded.is_cumulative, "counted from the last report:", decoded)
        (used,) = decoded.services[0].used if decoded.services and decoded.services[0].used else (None,)
        check((used is None) == (told.counters is None), "other counters:", decoded, told)
        if used is not None and told.counters is not None:
            time_s, *octets = told.counters
            if not told.server.has_gigawords:
                octets = [each & 0xFFFF_FFFF for each in octets]
            read = Counters(used.time_s or 0, used.input_octets or 0, used.output_octets or 0)
            check(read == (time_s, *octets), "other counters:", decoded, told)

    # --- On the way back --------------------------------------------------------------------------------

    def _replied(self, delivery: _Delivery, reply: bytes) -> None:
        told, outcome = delivery.told, delivery.outcome
        check(wire.is_reply(reply, told.octets, SECRET), "no reply to", told)
        is_first = told.octets not in self._replies
        if (
            told.status
            or outcome is not Outcome.REPEATED_WITH_OTHER_CONTENT
            or self._remembers_opening(delivery)
        ):
            check(self._replies.setdefault(told.octets, reply) == reply, "another reply to", told)
        if told.counters is not None and (outcome is not None or is_first):
            # The next report tells what one of the same second did not get charged; behind a Stop there is none.
            is_last = told.status == wire.STOP
            is_charged = outcome not in _UNCHARGED and (
                is_last or outcome is not Outcome.REPEATED_WITH_OTHER_CONTENT
            )
            if is_charged:
                check(bool(delivery.session_id), "acknowledged, and charging was not asked:", told)
                self._auditor.acknowledged_counters(delivery.session_id, told.counters)
        self._to_servers.append((told, reply))

    def _remembers_opening(self, delivery: _Delivery) -> bool:
        """Whether a copy of the request for access can be told from another one: a session remembers but its last."""
        session = self._auditor.history.values.session(delivery.session_id)
        return session is None or any(a.request_type == CCRequestType.INITIAL for a in session.answers)

    def hear_order(self, code: Code, session_id: str, attributes: bytes) -> bool:
        """A worker wants a session to go on, so far, or to end."""
        login = self._logins.get(self._sessions[session_id])
        if login is not None and self._random.random() < 0.8:
            if code == wire.DISCONNECT_REQUEST:
                login.disconnect()
            else:
                login.limit(attributes)
        return True

    def deliver_reply(self) -> None:
        if self._to_servers:
            told, reply = self._to_servers.pop(self._random.randrange(len(self._to_servers)))
            login = self._logins.get(told.session)
            if login is not None:
                login.hear(told, reply)
