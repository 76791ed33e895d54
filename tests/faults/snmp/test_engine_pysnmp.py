"""What pysnmp sends arrives right, and it accepts what we answer; its codec reads and writes what ours does."""

import json
import sys
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.support import pysnmp_messages
from tests.support.net_snmp import PASSWORD, PRIVACY_PASSWORD, PROTECTIONS, Protection
from tests.support.pysnmp_messages import Said, read_v2c, v1_message, v2c_message
from tests.support.snmp_listener import ENGINE_TIME_S, NOW_MS, Listener, engine, listening

# pysnmp takes a second for each user: a case of each digest and of each cipher; all of them in tests/long.
SOME = (
    Protection(),
    Protection("md5", "des"),
    Protection("sha1", "aes128"),
    Protection("sha224", "aes192"),
    Protection("sha256", "aes256"),
    Protection("sha384"),
    Protection("sha512", "aes128"),
)
SENDER = Path(pysnmp_messages.__file__).with_name("pysnmp_sender.py")


async def send(listener: Listener, cases: list[dict[str, str]]) -> list[str]:
    """The errors that pysnmp saw, one for each case."""
    told = [
        {
            **case,
            "port": listener.port,
            "password": PASSWORD,
            "privacy_password": PRIVACY_PASSWORD,
            "text": "x",
        }
        for case in cases
    ]
    done = await trio.run_process(
        [sys.executable, "-W", "ignore", str(SENDER)],
        stdin=json.dumps(told).encode(),
        capture_stdout=True,
        capture_stderr=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


async def assert_all_arrive(protections: tuple[Protection, ...]) -> None:
    cases = [{"kind": kind} for kind in ("trap", "inform")]
    for protection in protections:
        names = {"authentication": protection.authentication, "privacy": protection.privacy}
        cases += [{"kind": kind, **names} for kind in ("trap", "inform")]
    async with listening(engine(*[protection.user() for protection in PROTECTIONS])) as listener:
        assert await send(listener, cases) == [""] * len(cases)
        for case in cases:
            notification = (await listener.next()).notification
            assert notification.is_inform == (case["kind"] == "inform")
            assert notification.uptime_ticks == 4_242
            assert [varbind.value for varbind in notification.varbinds] == [b"x"]
            if "privacy" in case:
                assert notification.security_name == f"{case['authentication']}-{case['privacy']}"
        assert not listener.discards


@pytest.mark.bounded(120)
async def test_pysnmp_s_traps_and_informs_arrive_and_are_acknowledged() -> None:
    await assert_all_arrive(SOME)


@pytest.mark.long
@pytest.mark.bounded(600)
async def test_pysnmp_s_traps_and_informs_arrive_and_are_acknowledged_at_every_level() -> None:
    await assert_all_arrive(PROTECTIONS)


arcs = st.integers(0, 2**32 - 1)
names = st.builds(
    lambda first, second, rest: ".".join(map(str, (first, second, *rest))),
    st.integers(0, 2),
    st.integers(0, 39),
    st.lists(arcs, max_size=30),
)
values = st.one_of(
    st.tuples(st.just(0x02), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(0x04), st.binary(max_size=300)),
    st.tuples(st.just(0x05), st.none()),
    st.tuples(st.just(0x06), names),
    st.tuples(st.just(0x40), st.binary(min_size=4, max_size=4)),
    st.tuples(st.sampled_from([0x41, 0x42, 0x43]), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(0x44), st.binary(max_size=40)),
    st.tuples(st.just(0x46), st.integers(0, 2**64 - 1)),
)
varbinds = st.builds(lambda name, value: (f"1.3.6.1.4.1.{name}", *value), arcs, values)


@given(
    st.lists(varbinds, max_size=8),
    st.integers(0, 2**32 - 1),
    names,
    st.integers(-(2**31), 2**31 - 1),
    st.booleans(),
)
def test_what_pysnmp_writes_as_v2c_is_read_and_its_acknowledgement_is_read_by_pysnmp(
    said: list[Said], uptime: int, trap_oid: str, request_id: int, is_inform: bool
) -> None:
    head: list[Said] = [("1.3.6.1.2.1.1.3.0", 0x43, uptime), ("1.3.6.1.6.3.1.1.4.1.0", 0x06, trap_oid)]
    octets = v2c_message([*head, *said], request_id=request_id, is_inform=is_inform)
    arrivals, replies, discards = engine().receive([(octets, "::1", 9)], NOW_MS, ENGINE_TIME_S)
    assert not replies and not discards
    notification = arrivals[0].notification
    assert (notification.trap_oid, notification.uptime_ticks) == (trap_oid, uptime)
    assert [(varbind.name, varbind.syntax, varbind.value) for varbind in notification.varbinds] == said
    if is_inform:
        assert arrivals[0].acknowledgement is not None
        answer = read_v2c(arrivals[0].acknowledgement)
        assert answer == ("ResponsePDU", b"public", request_id, 0, [*head, *said])


@given(
    names,
    st.binary(min_size=4, max_size=4).map(lambda octets: ".".join(map(str, octets))),
    st.integers(0, 6),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**32 - 1),
)
def test_what_pysnmp_writes_as_v1_is_read(
    enterprise: str, agent: str, generic: int, specific: int, uptime: int
) -> None:
    said: list[Said] = [("1.3.6.1.2.1.2.2.1.1.7", 0x02, 7), ("1.3.6.1.2.1.2.2.1.10.7", 0x41, 2**32 - 1)]
    octets = v1_message(
        enterprise=enterprise,
        agent_address=agent,
        generic=generic,
        specific=specific,
        uptime_ticks=uptime,
        varbinds=said,
    )
    judge = engine(proxies=("10.0.0.1",))
    arrivals = judge.receive(
        [(octets, "10.0.0.1", 9), (octets, "10.0.0.2", 9)], NOW_MS, ENGINE_TIME_S
    ).notifications
    notification = arrivals[0].notification
    assert notification.trap_oid == (
        f"{enterprise}.0.{specific}" if generic == 6 else f"1.3.6.1.6.3.1.1.5.{generic + 1}"
    )
    assert notification.uptime_ticks == uptime
    assert [(varbind.name, varbind.syntax, varbind.value) for varbind in notification.varbinds] == said
    assert notification.source == (agent if agent != "0.0.0.0" else "10.0.0.1")
    assert arrivals[1].notification.source == "10.0.0.2", "nobody's word on another's address but a proxy's"


def test_pysnmp_knows_each_kind_of_value_that_a_varbind_may_have() -> None:
    assert set(pysnmp_messages.SYNTAXES) == {0x02, 0x04, 0x05, 0x06, 0x40, 0x41, 0x42, 0x43, 0x44, 0x46}
