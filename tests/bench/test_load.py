"""The load generator as its users drive it: a process of its own against a server of ours."""

import struct
import threading
from collections import Counter
from typing import Any

import pytest

from bench.load import GeneratorError, LoadGenerator
from bench.templates import LoadPlan, used_octets


def plan(server: Any, **changes: Any) -> LoadPlan:
    return LoadPlan(host="127.0.0.1", port=server.port, run=7, accounts=20, **changes)


def number_of(request: bytes) -> int:
    place = request.index(struct.pack(">II", 415, 0x4000000C)) + 8
    return struct.unpack_from(">I", request, place)[0]


def session_of(request: bytes) -> bytes:
    return request[28:][: (struct.unpack_from(">I", request, 24)[0] & 0xFFFFFF) - 8]


def test_sessions_are_opened_updated_and_closed_with_consecutive_numbers(server: Any) -> None:
    with LoadGenerator(plan(server)) as load:
        assert load.open_sessions().results == {2001: 20}
        phase = load.update(in_flight=8, duration_s=0.2)
        closing = load.close_sessions()
        tally = load.tally()
    assert phase.results == {2001: sum(phase.results.values())} and phase.requests >= 20
    assert phase.unanswered == closing.unanswered == 0
    assert phase.latencies_ms["p50"] <= phase.latencies_ms["p999"] <= phase.latencies_ms["max"]
    numbers: dict[bytes, list[int]] = {}
    for request in server.requests:
        numbers.setdefault(session_of(request), []).append(number_of(request))
    assert len(numbers) == 20
    assert all(sorted(found) == list(range(len(found))) for found in numbers.values())
    assert sum(tally.requests) == len(server.requests)


def test_tally_is_what_was_reported_and_acknowledged(server: Any) -> None:
    with LoadGenerator(plan(server)) as load:
        load.open_sessions()
        load.update(in_flight=4, duration_s=0.1)
        load.close_sessions()
        tally = load.tally()
    for account, requests in enumerate(tally.requests):
        assert tally.acknowledged_octets[account] == sum(used_octets(account, n) for n in range(1, requests))
    assert sum(tally.refused_octets) == sum(tally.unanswered_octets) == 0


def test_updates_are_512_octets_on_the_wire(server: Any) -> None:
    with LoadGenerator(plan(server)) as load:
        load.open_sessions()
        before = len(server.requests)
        load.update(in_flight=2, duration_s=0.05)
    assert {len(request) for request in server.requests[before:]} == {512}


def test_broken_connection_is_reopened_and_unanswered_requests_are_sent_again_with_T(server: Any) -> None:
    seen: Counter[bytes] = Counter()

    def reply(request: bytes) -> int:
        seen[request[16:20]] += 1
        return -1 if sum(seen.values()) == 200 else 2001

    with LoadGenerator(plan(server)) as load:
        load.open_sessions()
        server.reply = reply
        load.start(in_flight=8)
        while load.progress() < 500:
            threading.Event().wait(0.01)
        phase = load.stop()
        tally = load.tally()
    assert phase.reconnected >= 1 and phase.resent >= 1 and phase.unanswered == 0
    repeated = [identifier for identifier, times in seen.items() if times > 1]
    assert repeated
    copies = [request for request in server.requests if request[16:20] == repeated[0]]
    assert [bool(copy[4] & 0x10) for copy in copies] == [False, True]
    assert copies[0][20:] == copies[1][20:]
    for account, requests in enumerate(tally.requests):
        assert tally.acknowledged_octets[account] == sum(used_octets(account, n) for n in range(1, requests))


@pytest.mark.parametrize("result", [3002, 3004])
def test_request_that_could_not_be_delivered_is_sent_again(server: Any, result: int) -> None:
    with LoadGenerator(plan(server)) as load:
        server.reply = lambda request: 2001 if request[4] & 0x10 else result
        phase = load.open_sessions()
    assert phase.results == {2001: 20, result: 20} and phase.resent == 20


def test_late_answer_leads_to_a_repeat(server: Any) -> None:
    with LoadGenerator(plan(server, answer_timeout_s=0.1)) as load:
        server.reply = lambda request: 2001 if request[4] & 0x10 else 0
        phase = load.open_sessions()
    assert phase.results == {2001: 20} and phase.resent >= 20


def test_refused_usage_is_kept_apart_and_silence_is_unanswered(server: Any) -> None:
    with LoadGenerator(plan(server)) as load:
        load.open_sessions()
        server.reply = lambda request: 4012 if session_of(request).split(b";")[2] == b"0000003" else 2001
        load.update(in_flight=4, duration_s=0.05)
        refused = load.tally()
        server.reply = lambda request: 0
        phase = load.update(in_flight=4, duration_s=0.05, drain_s=0.05)
        silent = load.tally()
    assert refused.refused_octets[3] > 0 == refused.acknowledged_octets[3]
    assert sum(refused.refused_octets) == refused.refused_octets[3]
    assert phase.unanswered == 4 == sum(octets > 0 for octets in silent.unanswered_octets)


def test_watchdog_is_answered_and_disconnect_is_obeyed(server: Any) -> None:
    with LoadGenerator(plan(server, connections=1)) as load:
        load.open_sessions()
        server.connections[-1].sendall(struct.pack(">IIIII", 1 << 24 | 20, 0x80000118, 0, 1, 1))
        server.connections[-1].sendall(struct.pack(">IIIII", 1 << 24 | 20, 0x8000011A, 0, 2, 2))
        phase = load.update(in_flight=2, duration_s=0.1, drain_s=1.0)
    assert (280, 0) in server.base and (282, 0) in server.base
    assert phase.unanswered == 0


def test_nobody_listening_is_an_error_that_names_the_address(server: Any) -> None:
    nobody = plan(server)
    server.close()
    generator = LoadGenerator(nobody, connect_timeout_s=0.2)
    with pytest.raises(GeneratorError, match=f"127.0.0.1:{nobody.port}"), generator:
        pass


def test_phase_while_running_is_refused(server: Any) -> None:
    with LoadGenerator(plan(server)) as load:
        load.open_sessions()
        load.start(in_flight=2)
        with pytest.raises(GeneratorError, match="call stop"):
            load.tally()
        load.stop()
    with pytest.raises(GeneratorError, match="not running"):
        load.progress()


def test_offered_load_leaves_by_the_clock_and_what_was_refused_goes_again(server: Any) -> None:
    refused: Counter[bytes] = Counter()

    def refuse_once(request: bytes) -> int:
        key = session_of(request) + request[12:20][4:]
        refused[key] += 1
        return 3004 if refused[key] == 1 else 2001

    with LoadGenerator(plan(server)) as load:
        load.open_sessions()
        server.reply = refuse_once
        phase = load.offer(rate_per_s=400.0, duration_s=0.25)
        server.reply = lambda request: 2001
        load.close_sessions()
        tally = load.tally()
    assert 0 < phase.requests <= phase.offered <= 110  # 100 and what making the requests took
    assert 0 < phase.refused <= phase.offered
    assert phase.unanswered == 0
    for account, requests in enumerate(tally.requests):
        assert tally.acknowledged_octets[account] == sum(used_octets(account, n) for n in range(1, requests))
