"""Recorded and damaged messages of stacks that we did not write, sent to the whole server."""

import csv
import random
from pathlib import Path

import structlog
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocs.diameter_gy.avp import split_avps
from ocs.diameter_gy.errors import DiameterError
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import Framer, parse_header
from ocs.diameter_gy.server import DiameterServer, ServerPolicy
from ocs.settings import Settings

FIXTURE_IS_STATELESS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
DATA = Path(__file__).parents[1] / "data" / "gy"


def recorded():
    """(name, message) of everything recorded, whole or broken."""
    found = [("erlang", bytes.fromhex((DATA / "erlang_cer.hex").read_text()))]
    for name in ("magma.tsv", "freediameter.tsv", "qubership.tsv"):
        with (DATA / name).open(newline="") as file:
            for number, row in enumerate(csv.DictReader(file, delimiter="\t"), 2):
                found.append((f"{name}:{number}", bytes.fromhex(row["message_hex"])))
    return found


RECORDED = recorded()
REQUESTS = [
    (name, m) for name, m in RECORDED if m[0] == 1 and m[4] & 0x80 and int.from_bytes(m[1:4]) == len(m)
]
CREDIT_CONTROL = [(name, m) for name, m in REQUESTS if parse_header(m).command_code == 272]

# One recorded CCR has vendor AVPs unknown to everybody with the M bit at the top level, outside any 3GPP container.
UNKNOWN_MANDATORY = {"qubership.tsv:17"}


def names(code):
    """Every value of a DiameterIdentity in the recorded requests."""
    values = set()
    for _, message in CREDIT_CONTROL:
        try:
            values |= {avp.data.decode() for avp in split_avps(message, 20) if avp.code == code}
        except DiameterError:
            continue
    return tuple(sorted(values))


def test_recordings_hold_what_their_origin_says():
    assert len(CREDIT_CONTROL) > 130
    assert len(REQUESTS) > 170


async def test_every_recorded_credit_control_request_is_charged(lab):
    async with lab.serving(destination_hosts=names(293), destination_realms=names(283)) as (_, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        for name, message in CREDIT_CONTROL:
            header, result, _ = await gateway.answer_to(message)
            sent = parse_header(message)
            assert (header.hop_by_hop_id, header.end_to_end_id) == (sent.hop_by_hop_id, sent.end_to_end_id), (
                name
            )
            assert result == (5001 if name in UNKNOWN_MANDATORY else 2001), name
        assert len(lab.handler.requests) == len(CREDIT_CONTROL) - len(UNKNOWN_MANDATORY)


async def test_every_recorded_cer_opens_a_connection(lab):
    async with lab.serving() as (_, listeners):
        for name, message in REQUESTS:
            if parse_header(message).command_code == 257:
                gateway = await lab.connect(listeners[0])
                _, result, _ = await gateway.answer_to(message)
                assert result == 2001, name


async def test_every_recorded_request_gets_one_answer(lab):
    expected = {257: {3010}, 272: {2001, 3002, 3003, 5001}, 280: {2001}, 282: {2001}, 258: {3001}}
    async with lab.serving() as (_, listeners):
        for name, message in REQUESTS:
            gateway = await (await lab.connect(listeners[0])).opens()
            header, result, _ = await gateway.answer_to(message)
            sent = parse_header(message)
            assert (header.command_code, header.hop_by_hop_id) == (sent.command_code, sent.hop_by_hop_id), (
                name
            )
            assert result in expected.get(sent.command_code, {3007}), name
            await gateway.stream.aclose()


async def test_broken_recordings_harm_no_other_connection(lab):
    async with lab.serving() as (_, listeners):
        healthy = await (await lab.connect(listeners[0])).opens()
        for name, message in RECORDED:
            if (name, message) not in REQUESTS:
                gateway = await (await lab.connect(listeners[0], "broken.example")).opens()
                await gateway.send(message)
                await gateway.stream.aclose()
        _, result, _ = await healthy.answer_to(healthy.ccr())
        assert result == 2001


def run_through_server(lab, chunks):
    """Send chunks over an open connection; give back all answers and the error lines of the log."""
    policy = ServerPolicy.from_settings(Settings())
    identity = NodeIdentity("ocs.lab.example", "lab.example", "ocs-bss")

    async def main():
        server = DiameterServer(identity, policy, lab.handler, draw_jitter_s=lambda: 0.0)
        ours, theirs = trio.testing.memory_stream_pair()
        received = b""

        async def read():
            nonlocal received
            async for data in theirs:
                received += data

        with trio.fail_after(1000):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.serve, [])
                nursery.start_soon(read)
                serving = server.serve_stream
                nursery.start_soon(lambda: serving(ours, remote="fuzz:1", host_ip_addresses=("127.0.0.1",)))
                try:
                    for chunk in (lab.gateway(None).cer(), *chunks):
                        await theirs.send_all(chunk)
                        await trio.testing.wait_all_tasks_blocked()
                    await theirs.send_eof()
                except trio.BrokenResourceError:
                    pass  # we were hung up on
                await trio.sleep(30)
                server.request_stop()
        return Framer().feed(received)

    with structlog.testing.capture_logs() as lines:
        answers = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return answers, [line for line in lines if line["log_level"] in {"error", "critical"}]


def check_answers(answers):
    assert parse_header(answers[0]).command_code == 257
    for answer in answers:
        split_avps(answer, 20)
        header = parse_header(answer)
        assert not header.is_request or header.command_code in {280, 282}


@settings(max_examples=60, suppress_health_check=FIXTURE_IS_STATELESS)
@given(chunks=st.lists(st.binary(min_size=1, max_size=400), max_size=5))
def test_random_octets_get_nothing_but_documented_answers(lab, chunks):
    answers, errors = run_through_server(lab, chunks)
    assert errors == []
    check_answers(answers)


@settings(max_examples=100, suppress_health_check=FIXTURE_IS_STATELESS)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_recordings_get_nothing_but_documented_answers(lab, seed):
    chance = random.Random(seed)
    chunks = []
    for _ in range(chance.randint(1, 6)):
        message = bytearray(chance.choice(RECORDED)[1])
        for _ in range(chance.randint(0, 4)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        if chance.random() < 0.5:  # the length is made right again, so that the damage reaches the AVPs
            message[0:4] = b"\1" + len(message).to_bytes(3, "big")
        chunks.append(bytes(message))
    answers, errors = run_through_server(lab, chunks)
    assert errors == [], seed
    check_answers(answers)
