"""Signals, a small network and a listener for tests of the alarm list."""

from collections.abc import Iterable

from ocs.faults.alarm import Alarm, AlarmKey, AlarmSignal, EventType, Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book.book import AlarmBook
from ocs.faults.book.outcome import Outcome
from ocs.faults.book.policy import BookPolicy
from ocs.faults.book.tombstones import decode_tombstone, encode_tombstone
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.topology.port import NoTopology, Topology
from ocs.faults.topology.schema import Element, Interface, Link, Service, Site, TopologyFile
from ocs.faults.topology.toml_topology import topology_of

COMMUNICATIONS = EventType.COMMUNICATIONS_ALARM
EQUIPMENT = EventType.EQUIPMENT_ALARM
ENVIRONMENT = EventType.ENVIRONMENTAL_ALARM
# Nothing waits and nothing is forgotten: what a test does not speak of is out of its way.
PLAIN = BookPolicy(settling_ms=0, escalations=(), cleared_kept_ms=0)


def raised(
    resource: str = "router7",
    alarm_type: str = "link-down",
    at_ms: int = 1_000,
    *,
    severity: Severity = Severity.MAJOR,
    event_type: EventType = COMMUNICATIONS,
    text: str = "it is down",
    qualifier: str = "",
    will_clear: bool = True,
    is_catch_all: bool = False,
) -> AlarmSignal:
    return AlarmSignal(
        AlarmKey(resource, alarm_type, qualifier),
        severity,
        at_ms,
        event_type,
        8,
        text,
        resource.partition("/")[0],
        will_clear,
        (),
        "",
        is_catch_all,
    )


def cleared(
    resource: str = "router7",
    alarm_type: str = "link-down",
    at_ms: int = 1_000,
    *,
    event_type: EventType = COMMUNICATIONS,
    text: str = "it is up",
) -> AlarmSignal:
    return raised(resource, alarm_type, at_ms, severity=Severity.CLEARED, event_type=event_type, text=text)


def id_of(resource: str = "router7", alarm_type: str = "link-down") -> str:
    return AlarmKey(resource, alarm_type).alarm_id


# core ==fibre== agg ==radio== cell, with a card in agg, and a site under it all.
CHAIN = TopologyFile(
    sites=(Site(name="hill"),),
    elements=(
        Element(name="core", addresses=("10.0.0.1",)),
        Element(
            name="agg",
            site="hill",
            addresses=("10.0.0.2", "2001:db8::2"),
            cards=("1",),
            interfaces=(
                Interface(name="up", index=1, card="1"),
                Interface(name="down", index=2, card="1"),
            ),
            uplinks=("up",),
        ),
        Element(name="cell", uplinks=("0",)),
    ),
    links=(
        Link(name="fibre", ends=("core/if/0", "agg/if/up")),
        Link(name="radio", ends=("agg/if/down", "cell/if/0")),
    ),
    services=(
        Service(name="mobile", uses=("cell",), subscribers=1_200),
        Service(name="leased line", uses=("agg",), subscribers=14),
    ),
)


def chain() -> Topology:
    """The topology of :data:`CHAIN`."""
    return topology_of({"chain.toml": CHAIN})


class Office:
    """A book with its store, kept from nothing but outcomes, and a listener who hears what is notified."""

    def __init__(self, topology: Topology | None = None, policy: BookPolicy = PLAIN) -> None:
        self.topology = NoTopology() if topology is None else topology
        self.policy = policy
        self.book = AlarmBook(self.topology, policy)
        self.alarms: dict[str, Alarm] = {}
        self.operators: dict[str, OperatorRecord] = {}
        self.tombstones: dict[str, bytes] = {}
        # What a partner who hears only notices believes to stand.
        self.told: set[str] = set()
        self.notices: list[tuple[ChangeKind, str]] = []
        self.kinds: list[ChangeKind] = []

    def take(self, *signals: AlarmSignal, now_ms: int | None = None) -> Outcome:
        moment = max(signal.at_ms for signal in signals) if now_ms is None else now_ms
        return self.keep(self.book.take(signals, moment))

    def tick(self, now_ms: int) -> None:
        """Do all that is due, as often as there is something."""
        due_ms = self.book.due_ms()
        for _ in range(1_000):
            if due_ms is None or due_ms > now_ms:
                return
            self.keep(self.book.tick(now_ms))
            due_ms = self.book.due_ms()
        raise AssertionError("what is due does not end")

    def note(self, record: OperatorRecord, now_ms: int) -> Outcome:
        self.operators[record.alarm_id] = record
        return self.keep(self.book.note_operator(record, now_ms))

    def restart(self) -> None:
        self.book = AlarmBook(
            self.topology,
            self.policy,
            alarms=self.alarms.values(),
            operators=self.operators.values(),
            tombstones=map(decode_tombstone, self.tombstones.values()),
        )

    def alarm(self, resource: str = "router7", alarm_type: str = "link-down") -> Alarm:
        return self.alarms[id_of(resource, alarm_type)]

    def keep(self, outcome: Outcome) -> Outcome:
        ids = [alarm.alarm_id for alarm in outcome.alarms]
        assert len(ids) == len(set(ids)), "each changed alarm once"
        for alarm in outcome.alarms:
            self.alarms[alarm.alarm_id] = alarm
        for alarm_id in outcome.purged:
            self.alarms.pop(alarm_id, None)
            self.operators.pop(alarm_id, None)
        for stone in outcome.tombstones:
            self.tombstones[stone.alarm_id] = encode_tombstone(stone)
        for alarm_id in outcome.forgotten:
            self.tombstones.pop(alarm_id, None)
        for record in outcome.operators:
            self.operators[record.alarm_id] = record
        changed = {change.alarm_id for change in outcome.changes}
        assert set(ids) <= changed, "a view that follows the changes sees each alarm that changed"
        for change in outcome.changes:
            self.kinds.append(change.kind)
            if change.is_notified:
                self._hear(change.kind, change.alarm_id)
        return outcome

    def _hear(self, kind: ChangeKind, alarm_id: str) -> None:
        self.notices.append((kind, alarm_id))
        if kind in {ChangeKind.CLEARED, ChangeKind.PURGED}:
            self.told.discard(alarm_id)
        else:
            self.told.add(alarm_id)


def kinds_of(notices: Iterable[tuple[ChangeKind, str]]) -> list[ChangeKind]:
    return [kind for kind, _ in notices]
