"""Agents of v1 and v2c that nobody can tell apart but by their uptimes, on a network that reorders and repeats.

What holds for each of them: a clear that came after its raise is never lost, and a late raise brings nothing back. So
each alarm ends as its agent last said.
"""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.alarm import AlarmKey, Severity
from ocs.faults.book.book import AlarmBook
from ocs.faults.book.source_clock import SourceClock
from ocs.faults.topology.port import NoTopology
from tests.support.signals import PLAIN, raised

BEGIN_MS = 1_700_000_000_000
ADDRESS = "10.0.0.7"
DELAY_MAX_MS = 5_000
# An agent that restarts has been up for so long, and no other one has started so near to it: docs/alarms.md says why.
APART_MS = 30_000
HELLO_AFTER_MS = 2_340
_WRAP_MS = (1 << 32) * 10
# They started within five seconds or more than fifteen apart: a trap that is late by seconds is told from another agent's.
# Not round, nor the first after a restart: no uptime is just the one that was heard last before.
UPTIMES_MS = (1_030, 4_170, 21_210, 45_290, 62_330, 3_600_000, 3_630_000, 30 * 86_400_000, _WRAP_MS - 20_000)


class Step(NamedTuple):
    """What an agent does next: after a pause, how long that is under way, and its copy; -1: there is none."""

    agent: int
    pause_ms: int
    act: str
    delay_ms: int
    copy_delay_ms: int


class Datagram(NamedTuple):
    """As it arrives."""

    received_ms: int
    number: int
    agent: int
    uptime_ticks: int
    act: str


class Agent:
    """One with a clock of its own, which is a little wrong."""

    def __init__(self, boot_ms: int, parts_per_million: int) -> None:
        self.boot_ms = boot_ms
        self.last = ""
        self._parts_per_million = parts_per_million

    def uptime_ticks(self, now_ms: int) -> int:
        passed_ms = now_ms - self.boot_ms
        return (passed_ms + passed_ms * self._parts_per_million // 1_000_000) // 10 % (1 << 32)


STEPS = st.builds(
    Step,
    agent=st.integers(0, 2),
    pause_ms=st.sampled_from([20, 100, 1_000, 7_000, 40_000]) | st.integers(20, 90_000),
    act=st.sampled_from(["raise", "clear", "raise", "clear", "raise", "clear", "restart", "restart unheard"]),
    delay_ms=st.just(0) | st.integers(0, DELAY_MAX_MS),
    copy_delay_ms=st.just(-1) | st.integers(0, DELAY_MAX_MS),
)
AGENTS = st.lists(
    st.builds(
        lambda uptime_ms, more_ms, wrong: Agent(BEGIN_MS - uptime_ms - more_ms, wrong),
        st.sampled_from(UPTIMES_MS),
        st.sampled_from([0, 10, 1_500]),
        st.sampled_from([-100, 0, 100]),
    ),
    min_size=3,
    max_size=3,
)


def sent_by(agents: list[Agent], steps: list[Step]) -> list[Datagram]:
    """What arrives of all that, in the order of arrival."""
    now_ms = BEGIN_MS
    # All are known: of a stranger's first word nobody can say how old it is.
    datagrams = [
        Datagram(now_ms, -1, number, agent.uptime_ticks(now_ms), "") for number, agent in enumerate(agents)
    ]
    for number, step in enumerate(steps):
        now_ms += step.pause_ms
        agent = agents[step.agent]
        act = step.act
        if act.startswith("restart"):
            # Nobody has started so near, itself neither.
            now_ms += max(0, APART_MS - (now_ms - max(one.boot_ms for one in agents)))
            agent.boot_ms = now_ms
        else:
            agent.last = act
        if act.startswith("restart"):
            # One datagram of each life is not late.
            hello_ms = now_ms + HELLO_AFTER_MS + 10 * number
            datagrams.append(Datagram(hello_ms, number, step.agent, agent.uptime_ticks(hello_ms), ""))
        if act == "restart unheard":
            continue
        ticks = agent.uptime_ticks(now_ms)
        datagrams.append(Datagram(now_ms + step.delay_ms, number, step.agent, ticks, act))
        # A copy of a coldStart is one as long as it comes within two seconds.
        if step.copy_delay_ms >= 0 and act != "restart":
            datagrams.append(Datagram(now_ms + step.copy_delay_ms, number, step.agent, ticks, act))
    return sorted(datagrams)


def _resource(agent: int) -> str:
    return f"{ADDRESS}/agent/{agent}"


def ends_as_last_said(agents: list[Agent], steps: list[Step]) -> None:
    clock, book = SourceClock(), AlarmBook(NoTopology(), PLAIN)
    for datagram in sent_by(agents, steps):
        is_start = datagram.act == "restart"
        at_ms, _ = clock.at_ms(ADDRESS, datagram.uptime_ticks, datagram.received_ms, is_start=is_start)
        if datagram.act in ("raise", "clear"):
            severity = Severity.MAJOR if datagram.act == "raise" else Severity.CLEARED
            said = raised(_resource(datagram.agent), at_ms=at_ms, severity=severity)
            book.take([said], datagram.received_ms)
    for number, agent in enumerate(agents):
        alarm = book.alarm(AlarmKey(_resource(number), "link-down").alarm_id)
        stands = alarm is not None and not alarm.is_cleared
        assert stands == (agent.last == "raise"), f"agent {number} last said {agent.last or 'nothing'}"


@given(AGENTS, st.lists(STEPS, min_size=2, max_size=25))
def test_each_alarm_ends_as_its_agent_last_said(agents: list[Agent], steps: list[Step]) -> None:
    ends_as_last_said(agents, steps)
