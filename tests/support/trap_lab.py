"""Datagrams to alarms in one process without sockets: engine, rules, source clock and list, on a clock that we turn."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from ocs.faults.book.book import AlarmBook
from ocs.faults.book.policy import BookPolicy
from ocs.faults.book.source_clock import SourceClock
from ocs.faults.mibs import MibNames, open_mib_names
from ocs.faults.rules import load_rules
from ocs.faults.snmp.engine import TrapEngine
from ocs.faults.snmp.usm import UsmUser
from ocs.faults.topology.toml_topology import TomlTopology, load_topology
from simulators.traps.judging import Seen
from simulators.traps.network import Network, metro_topology, read_network
from simulators.traps.packets import PacketWriter, Speech, Templates
from simulators.traps.stories import Sending

V2C = Speech()
CONFIG = Path(__file__).parents[2] / "config"
BEGIN_MS = 1_790_000_000_000
BEGIN_TICKS = 20_000_000


@cache
def mib_names() -> MibNames:
    return open_mib_names(None)


def lab() -> tuple[Network, TomlTopology]:
    """The lab operator's network, as the simulator and as the server read it."""
    return read_network(CONFIG / "topology"), load_topology(CONFIG / "topology")


def metro(folder: Path, towers: int) -> tuple[Network, TomlTopology]:
    """A city of so many towers, likewise."""
    (folder / "metro.toml").write_text(metro_topology(towers))
    return read_network(folder), load_topology(folder)


class TrapLab:
    """What becomes of datagrams."""

    def __init__(self, topology: TomlTopology, speech: Speech = V2C) -> None:
        user = speech.user
        self.engine = TrapEngine(
            engine_id=bytes.fromhex("80001f8804abcdef01"),
            boots=1,
            users=[
                UsmUser(
                    user.name,
                    authentication="sha1" if user.authentication_password else "none",
                    authentication_password=user.authentication_password.encode(),
                    privacy="aes128" if user.privacy_password else "none",
                    privacy_password=user.privacy_password.encode(),
                )
            ],
            accepts_community=lambda community: community == b"public",
            is_proxy=lambda _: False,
        )
        self.rules = load_rules(CONFIG / "alarms", mib_names(), element_of=topology.element_of)
        self.sources = SourceClock()
        self.book = AlarmBook(topology, BookPolicy())
        self.now_ms = BEGIN_MS
        self._speech = speech
        self._templates = Templates(speech)
        self._writers: dict[str, PacketWriter] = {}

    def play(
        self, sendings: Sequence[Sending], *, seconds: float = 10.0, begin_ticks: int = BEGIN_TICKS
    ) -> None:
        """Send all, evenly over so long."""
        begin_ms = self.now_ms
        for number, sending in enumerate(sendings):
            self.now_ms = begin_ms + round(number * seconds * 1000 / len(sendings))
            self.take([self.write(sending, number, begin_ticks)], sending.address)

    def write(self, sending: Sending, number: int, begin_ticks: int = BEGIN_TICKS) -> bytes:
        writer = self._writers.get(sending.address)
        if writer is None:
            writer = PacketWriter(self._speech, sending.address, templates=self._templates)
            self._writers[sending.address] = writer
        return writer.write(sending.notice, begin_ticks + sending.at_ticks, (1 << 24) + number)

    def take(self, datagrams: Iterable[bytes], address: str) -> None:
        received = self.engine.receive([(octets, address, 161) for octets in datagrams], self.now_ms, 1_000)
        assert received.discards == []
        for arrival in received.notifications:
            notification = arrival.notification
            at_ms, _ = self.sources.at_ms(
                notification.source,
                notification.uptime_ticks,
                self.now_ms,
                boots=max(0, arrival.engine_boots),
            )
            self.book.take(self.rules.signals(notification, at_ms), self.now_ms)

    def settle(self, seconds: float = 5.0) -> None:
        """Let time go by, and do what is due."""
        self.now_ms += round(seconds * 1000)
        while (due_ms := self.book.due_ms()) is not None and due_ms <= self.now_ms:
            self.book.tick(self.now_ms)

    def seen(self) -> list[Seen]:
        return [
            Seen(
                alarm.alarm_id,
                alarm.key.resource,
                alarm.key.alarm_type,
                alarm.is_cleared,
                alarm.root_cause,
                alarm.occurrences,
            )
            for alarm in self.book.alarms()
        ]
