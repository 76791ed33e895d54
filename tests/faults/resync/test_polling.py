"""Agents are asked rightly, whoever wrote them; what they answer wrongly ends the conversation and nothing else."""

from pathlib import Path

import pytest

from ocs.asyncio_bridge import asyncio_loop
from ocs.faults.notification import Syntax
from ocs.faults.resync.polling import PollError, polling
from tests.support.net_snmp import Protection
from tests.support.scripted_agent import (
    TOO_BIG,
    Integer,
    OctetString,
    Question,
    Said,
    Script,
    TimeTicks,
    scripted_agent,
    table,
)
from tests.support.snmp_agents import SYSTEM_UPTIME, agent_at, needs_snmpd, secrets_of, snmpd

pytestmark = [pytest.mark.bounded(60)]

IF_INDEX = "1.3.6.1.2.1.2.2.1.1"
PRIVATE = Protection("sha256", "aes128")


@needs_snmpd
@pytest.mark.parametrize(
    "protection", [None, Protection("md5", "des"), PRIVATE, Protection("sha512", "aes256")]
)
async def test_snmpd_is_asked_in_version_2c_and_3(tmp_path: Path, protection: Protection | None) -> None:
    users = () if protection is None else (protection,)
    async with snmpd(tmp_path, *users) as port:
        secrets = None if protection is None else secrets_of(protection)
        async with asyncio_loop(), polling(agent_at(port, secrets=secrets)) as poll:
            found = await poll.get(SYSTEM_UPTIME, "1.3.6.1.4.1.99999.1.0")
            assert list(found) == [SYSTEM_UPTIME]
            assert found[SYSTEM_UPTIME].syntax == Syntax.TIME_TICKS
            rows = await poll.walk(IF_INDEX)
            assert rows and all(row.name == f"{IF_INDEX}.{row.value}" for row in rows)
            assert await poll.walk("1.3.6.1.2.1.118.1.2.2") == []
            assert len(await poll.walk("1.3.6.1.2.1.1")) > 7


TABLE = "1.3.6.1.4.1.99999.1"


def going_round(question: Question) -> Said:
    """GETNEXT comes to the same two rows again and again."""
    return [(f"{TABLE}.1", Integer(1)), (f"{TABLE}.2", Integer(2)), (f"{TABLE}.1", Integer(1))]


def standing_still(question: Question) -> Said:
    return [(question.names[0], Integer(1))]


def without_end(question: Question) -> Said:
    last = question.names[0].removeprefix(TABLE).lstrip(".")
    first = int(last) + 1 if last else 1
    return [(f"{TABLE}.{row}", OctetString(b"x" * 20_000)) for row in range(first, first + 3)]


def with_an_empty_answer(question: Question) -> Said:
    return []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (going_round, "do not increase"),
        (standing_still, "do not increase"),
        (without_end, "more below"),
        (with_an_empty_answer, "empty answer|no usable answer"),
    ],
)
async def test_table_that_does_not_end_is_given_up(script: Script, reason: str) -> None:
    async with scripted_agent(script) as port, asyncio_loop(), polling(agent_at(port)) as poll:
        with pytest.raises(PollError, match=reason):
            await poll.walk(TABLE)


@pytest.mark.parametrize(
    "octets", [b"", b"\x30", b"junk", b"\x30\x84\xff\xff\xff\xff", bytes(60_000), b"\x30\x80" * 500]
)
async def test_garbage_is_no_answer_and_harms_nobody(octets: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocs.faults.resync.polling.SNMP_POLL_TIMEOUT_S", 0.2)
    async with (
        scripted_agent(lambda _: octets) as hostile,
        scripted_agent(table({SYSTEM_UPTIME: TimeTicks(42)})) as sound,
        asyncio_loop(),
        polling(agent_at(hostile)) as bad,
        polling(agent_at(sound)) as good,
    ):
        with pytest.raises(PollError):
            await bad.get(SYSTEM_UPTIME)
        assert (await good.get(SYSTEM_UPTIME))[SYSTEM_UPTIME].value == 42


async def test_answer_that_comes_late_is_not_taken_for_that_of_the_next_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ocs.faults.resync.polling.SNMP_POLL_TIMEOUT_S", 0.1)
    monkeypatch.setattr("ocs.faults.resync.polling.SNMP_POLL_RETRIES", 0)
    lates = [TimeTicks(1), TimeTicks(2)]

    def script(question: Question) -> Said:
        return [(question.names[0], lates.pop(0) if lates else TimeTicks(3))]

    async with scripted_agent(script, late_s=0.3) as port, asyncio_loop(), polling(agent_at(port)) as poll:
        with pytest.raises(PollError, match="does not answer"):
            await poll.get(SYSTEM_UPTIME)
        with pytest.raises(PollError, match="does not answer"):
            await poll.get(SYSTEM_UPTIME)


async def test_values_of_another_object_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(question: Question) -> Said:
        return [("1.3.6.1.2.1.1.5.0", OctetString(b"not asked for"))]

    async with scripted_agent(script) as port, asyncio_loop(), polling(agent_at(port)) as poll:
        assert await poll.get(SYSTEM_UPTIME) == {}


async def test_agent_that_finds_answers_too_big_is_asked_for_less() -> None:
    objects = {f"{TABLE}.{row}": Integer(row) for row in range(1, 60)}
    asked: list[int] = []

    def script(question: Question) -> Said:
        asked.append(question.repetitions)
        return table(objects)(question) if question.repetitions < 10 else TOO_BIG

    async with scripted_agent(script) as port, asyncio_loop(), polling(agent_at(port)) as poll:
        assert [row.value for row in await poll.walk(TABLE)] == list(range(1, 60))
    assert asked[:3] == [25, 12, 6]
