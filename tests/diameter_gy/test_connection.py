import functools

import pytest
import structlog
import trio
import trio.testing

from ocs.clock import ManualClock
from ocs.diameter_gy.admission import AdmissionPolicy
from ocs.diameter_gy.avp import split_avps, unsigned32, utf8
from ocs.diameter_gy.connection import Connection
from ocs.diameter_gy.errors import InvalidHeaderBits
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import Framer, encode_message, parse_header
from ocs.diameter_gy.peer import Peer, PeerPolicy
from ocs.diameter_gy.peer_states import State
from ocs.diameter_gy.peer_table import PeerTable
from ocs.diameter_gy.time_slices import TimeSlices
from ocs.limits import (
    CAPABILITIES_EXCHANGE_TIMEOUT_S,
    CAPABILITIES_UPDATES_MAX,
    ERRORS_PER_CONNECTION_MAX,
    ERRORS_WINDOW_S,
    MESSAGE_TIMEOUT_S,
    OVERLOAD_INTERVAL_S,
    REQUESTS_IN_FLIGHT_PER_CONNECTION,
    SEND_BUFFER_OCTETS_MAX,
    SEND_STALL_TIMEOUT_S,
)
from ocs.log import RepeatLimiter
from ocs.settings import PeerSettings

OURS = NodeIdentity("ocs.lab.example", "lab.example", "ocs-bss", origin_state_id=7)
ORIGIN = utf8(264, "pgw.example") + utf8(296, "example")
CER = encode_message(257, 0, 0x80, 1, 1, ORIGIN + unsigned32(258, 4))


def request(number, *, command=272, body=b""):
    return encode_message(command, 4 if command == 272 else 0, 0xC0, number, number, body)


class FakeService:
    """Keeps requests; answers them when told, or at once."""

    def __init__(self):
        self.waiting = []
        self.at_once = False
        self.fails = False
        self.rests = 0
        self.body = b""

    def may_read(self, connection):
        return not self.rests

    def rested(self, connection):
        self.rests -= 1

    def serve(self, message, header, connection):
        if self.fails:
            raise RuntimeError("a bug of ours")
        connection.begin_request()
        self.waiting.append((connection, header))
        if self.at_once:
            self.answer(body=self.body)

    def answer(self, index=0, *, body=b""):
        connection, header = self.waiting.pop(index)
        connection.answer(encode_message(272, 4, 0x40, header.hop_by_hop_id, header.end_to_end_id, body))

    def answered(self, message, header, connection):
        raise AssertionError("no test here asks the peer anything")

    def refuse(self, message, header, error, connection):
        connection.send(
            encode_message(
                header.command_code, 0, 0, header.hop_by_hop_id, 0, unsigned32(268, error.result_code)
            )
        )


class FakeWatcher:
    def __init__(self):
        self.identified_connections = []
        self.lines = []
        self.limiter = RepeatLimiter(ManualClock(0))

    def identified(self, connection):
        self.identified_connections.append(connection)

    def explain(self, key, event, **fields):
        self.lines.append((event, fields))


class Gateway:
    """The far end: sends octets, cuts what comes into messages."""

    def __init__(self, stream):
        self.stream = stream
        self._framer = Framer()
        self._received = []

    async def send(self, *messages):
        await self.stream.send_all(b"".join(messages))

    async def receive(self):
        while not self._received:
            data = await self.stream.receive_some(65536)
            if not data:
                raise EOFError
            self._received += self._framer.feed(data)
        return self._received.pop(0)

    async def result(self):
        """(command, Result-Code) of the next answer."""
        message = await self.receive()
        codes = [int.from_bytes(avp.data) for avp in split_avps(message, 20) if avp.code == 268]
        return parse_header(message).command_code, codes[0] if codes else None

    async def opens(self):
        await self.send(CER)
        assert await self.result() == (257, 2001)

    async def sees_the_end(self):
        with pytest.raises(EOFError):
            while True:
                await self.receive()


class House:
    """A connection between a fake gateway and a fake service, with its timers running."""

    def __init__(self, nursery, streams, table=None):
        ours, theirs = streams
        policy = PeerPolicy(
            admission=AdmissionPolicy.from_settings((PeerSettings(origin_host="pgw.example"),)),
            table=table or PeerTable(),
            watchdog_interval_s=30.0,
            draw_jitter_s=lambda: 0.0,
            draw_identifier=lambda: 100,
        )
        self.service, self.watcher, self.gateway = FakeService(), FakeWatcher(), Gateway(theirs)
        peer = Peer(policy, OURS, ("127.0.0.1",), now_s=trio.current_time())
        slices = TimeSlices()
        self.connection = Connection(ours, peer, self.service, self.watcher, slices, remote="127.0.0.1:5")
        nursery.start_soon(slices.run)
        nursery.start_soon(self.connection.run)
        nursery.start_soon(self._tick)

    async def _tick(self):
        while True:
            await trio.sleep(0.25)
            self.connection.tick(trio.current_time())

    async def closed(self):
        while not self.connection.is_closed:
            await trio.sleep(0.1)
        await trio.testing.wait_all_tasks_blocked(0.01)
        return self.connection.close_reason


def bounded(test):
    """Fail a test of this file after 1000 s of its own clock."""

    @functools.wraps(test)
    async def run(**arguments):
        with trio.fail_after(1000):
            await test(**arguments)

    return run


@pytest.fixture
async def house(nursery):
    return House(nursery, trio.testing.memory_stream_pair())


@bounded
async def test_capabilities_are_exchanged_and_the_watcher_is_told(house, autojump_clock):
    await house.gateway.opens()
    assert house.watcher.identified_connections == [house.connection]
    assert house.connection.peer_name == "pgw.example"


@bounded
async def test_cer_in_single_octets_is_the_same_cer(house, autojump_clock):
    for octet in CER:
        await house.gateway.send(bytes([octet]))
    assert await house.gateway.result() == (257, 2001)


@bounded
async def test_answers_leave_in_the_order_in_which_they_are_given(house, autojump_clock):
    await house.gateway.opens()
    await house.gateway.send(*(request(number) for number in range(5)))
    await trio.testing.wait_all_tasks_blocked()
    for index in (4, 0, 0, 1, 0):
        house.service.answer(index)
    seen = [parse_header(await house.gateway.receive()).hop_by_hop_id for _ in range(5)]
    assert seen == [4, 0, 1, 3, 2]


@bounded
async def test_base_request_between_requests_is_answered_at_once(house, autojump_clock):
    await house.gateway.opens()
    await house.gateway.send(request(1), request(2, command=280, body=ORIGIN), request(3))
    assert await house.gateway.result() == (280, 2001)
    assert house.connection.in_flight == 2


@bounded
async def test_answers_to_one_batch_leave_in_one_piece(house, autojump_clock):
    await house.gateway.opens()
    house.service.at_once = True
    await house.gateway.send(*(request(number) for number in range(50)))
    await trio.testing.wait_all_tasks_blocked()
    assert len(Framer().feed(await house.gateway.stream.receive_some(65536))) == 50


@bounded
async def test_refused_peer_gets_its_cea_a_log_line_with_remedy_and_the_end(house, autojump_clock):
    stranger = utf8(264, "stranger.example") + utf8(296, "example") + unsigned32(258, 4)
    await house.gateway.send(encode_message(257, 0, 0x80, 1, 1, stranger))
    assert await house.gateway.result() == (257, 3010)
    await house.gateway.sees_the_end()
    ((event, fields),) = house.watcher.lines
    assert event == "peer_refused"
    assert fields["reason"] == "unknown peer stranger.example"
    assert 'origin_host = "stranger.example"' in fields["remedy"]
    assert house.watcher.identified_connections == []


@bounded
async def test_request_before_cer_ends_the_connection_unanswered(house, autojump_clock):
    await house.gateway.send(request(1))
    await house.gateway.sees_the_end()
    assert "before Capabilities-Exchange" in house.connection.close_reason


@bounded
async def test_silence_before_cer_ends_the_connection(house, autojump_clock):
    began_s = trio.current_time()
    await house.gateway.sees_the_end()
    assert trio.current_time() - began_s == pytest.approx(CAPABILITIES_EXCHANGE_TIMEOUT_S, abs=1)


@bounded
async def test_dribbling_peer_is_cut(house, autojump_clock):
    await house.gateway.opens()
    message = request(1, body=utf8(263, "x" * 100))

    async def dribble():
        for octet in message:
            await house.gateway.send(bytes([octet]))
            await trio.sleep(1)

    with pytest.raises(trio.BrokenResourceError):
        await dribble()
    assert "not finished in time" in house.connection.close_reason


@bounded
async def test_many_unfinished_pieces_in_a_row_are_not_dribbling(house, autojump_clock):
    await house.gateway.opens()
    stream = b"".join(request(number) for number in range(100))
    house.service.at_once = True
    for start in range(0, len(stream), 30):  # each piece ends inside a message
        await house.gateway.send(stream[start : start + 30])
        await trio.sleep(MESSAGE_TIMEOUT_S / 4)
    assert not house.connection.is_closed
    for number in range(100):
        assert parse_header(await house.gateway.receive()).hop_by_hop_id == number


@pytest.mark.parametrize(
    ("octets", "result_code"),
    [
        (b"\x02\0\0\x14\x80\0\1\x10" + bytes(12), 5011),
        (b"\x01\0\0\x10\x80\0\1\x10" + bytes(12), 5015),
        (b"\x01\0\0\x16\x80\0\1\x10" + bytes(12), 5015),
        (b"\x01\xff\xff\xfc\x80\0\1\x10" + bytes(12), 5015),
    ],
)
@bounded
async def test_lost_stream_is_answered_with_its_code_and_closed(house, autojump_clock, octets, result_code):
    await house.gateway.opens()
    await house.gateway.send(octets)
    assert await house.gateway.result() == (272, result_code)
    await house.gateway.sees_the_end()


@bounded
async def test_requests_before_the_fault_in_one_piece_are_still_answered(house, autojump_clock):
    await house.gateway.opens()
    house.service.at_once = True
    await house.gateway.send(request(1), b"\x02\0\0\x14" + bytes(16))
    assert parse_header(await house.gateway.receive()).hop_by_hop_id == 1
    await house.gateway.sees_the_end()


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01" + bytes(60)])
@bounded
async def test_other_protocols_get_no_answer_but_one_log_line(house, autojump_clock, octets):
    await house.gateway.send(octets)
    await house.gateway.sees_the_end()
    ((event, fields),) = house.watcher.lines
    assert event == "peer_disconnected"
    assert "only Diameter" in fields["remedy"]


@bounded
async def test_peer_that_does_not_read_is_cut_when_too_much_waits(house, autojump_clock):
    await house.gateway.opens()
    await house.gateway.send(*(request(number) for number in range(40)))
    await trio.testing.wait_all_tasks_blocked()
    house.connection._stream.send_stream.send_all_hook = trio.sleep_forever
    for _ in range(40):
        house.service.answer(body=utf8(263, "x" * (SEND_BUFFER_OCTETS_MAX // 32)))
    assert "too much waits" in house.connection.close_reason


@bounded
async def test_peer_that_does_not_read_is_cut_when_a_send_stalls(house, autojump_clock):
    await house.gateway.opens()
    house.connection._stream.send_stream.send_all_hook = trio.sleep_forever
    await house.gateway.send(request(1))
    await trio.testing.wait_all_tasks_blocked()
    house.service.answer()
    began_s = trio.current_time()
    assert "made no progress" in await house.closed()
    assert trio.current_time() - began_s == pytest.approx(SEND_STALL_TIMEOUT_S, abs=1)


@bounded
async def test_reading_stops_at_the_bound_of_requests_in_flight_and_goes_on_below_it(house, autojump_clock):
    await house.gateway.opens()
    bound = REQUESTS_IN_FLIGHT_PER_CONNECTION
    await house.gateway.send(*(request(number) for number in range(bound + 10)))
    await trio.testing.wait_all_tasks_blocked()
    assert house.connection.in_flight == bound
    for _ in range(10):
        house.service.answer()
    await trio.testing.wait_all_tasks_blocked()
    assert house.connection.in_flight == bound
    assert house.service.waiting[-1][1].hop_by_hop_id == bound + 9


@bounded
async def test_peer_that_we_do_not_read_from_is_not_blamed_for_silence(house, autojump_clock):
    await house.gateway.opens()
    await house.gateway.send(*(request(n) for n in range(REQUESTS_IN_FLIGHT_PER_CONNECTION + 1)), b"\x01\0")
    await trio.sleep(200)
    assert not house.connection.is_closed


@bounded
async def test_faulty_messages_beyond_the_bound_end_the_connection(house, autojump_clock):
    await house.gateway.opens()
    for _ in range(ERRORS_PER_CONNECTION_MAX - 1):
        house.connection.count_error(InvalidHeaderBits.result_code)
    assert not house.connection._is_hanging_up
    house.connection.count_error(InvalidHeaderBits.result_code)
    await house.gateway.sees_the_end()
    assert house.watcher.lines[-1][1]["remedy"]


@bounded
async def test_peer_that_repeats_its_capabilities_without_end_is_cut_off_and_fills_no_log(
    house, autojump_clock
):
    with structlog.testing.capture_logs() as lines:
        await house.gateway.send(*[CER] * (CAPABILITIES_UPDATES_MAX + ERRORS_PER_CONNECTION_MAX + 50))
        await house.gateway.sees_the_end()
    assert house.connection.close_reason == "too many faulty messages"
    assert house.connection.errors == ERRORS_PER_CONNECTION_MAX
    events = [line["event"] for line in lines]
    assert events.count("peer_capabilities_updated") == CAPABILITIES_UPDATES_MAX
    assert house.watcher.lines[0][0] == "peer_repeats_capabilities"


@bounded
async def test_capabilities_announced_now_and_then_are_no_fault(house, autojump_clock):
    await house.gateway.opens()
    for _ in range(3):
        for _ in range(CAPABILITIES_UPDATES_MAX):
            await house.gateway.opens()
        await trio.sleep(ERRORS_WINDOW_S + 1)
    assert house.connection.errors == 0


@bounded
async def test_faulty_messages_spread_over_time_do_not_end_the_connection(house, autojump_clock):
    await house.gateway.opens()
    for _ in range(3):
        for _ in range(ERRORS_PER_CONNECTION_MAX - 1):
            house.connection.count_error(InvalidHeaderBits.result_code)
        await trio.sleep(ERRORS_WINDOW_S + 1)
        await house.gateway.send(request(1, command=280, body=ORIGIN))
        assert await house.gateway.result() == (280, 2001)


@bounded
async def test_faults_inside_a_subscriber_s_request_never_end_the_connection_of_its_relay(
    house, autojump_clock
):
    await house.gateway.opens()
    for _ in range(ERRORS_PER_CONNECTION_MAX * 10):
        house.connection.count_error(5005)
    assert not house.connection._is_hanging_up
    assert house.connection.errors == ERRORS_PER_CONNECTION_MAX * 10


@bounded
async def test_silent_peer_is_asked_and_then_given_up(house, autojump_clock):
    await house.gateway.opens()
    assert await house.gateway.result() == (280, None)
    await house.gateway.sees_the_end()
    assert house.connection.close_reason == "Device-Watchdog-Request was not answered"


@bounded
async def test_peer_that_answers_watchdogs_stays(house, autojump_clock):
    await house.gateway.opens()
    for _ in range(5):
        header = parse_header(await house.gateway.receive())
        assert header.command_code == 280
        assert header.is_request
        await house.gateway.send(
            encode_message(280, 0, 0, header.hop_by_hop_id, header.end_to_end_id, ORIGIN)
        )
    assert house.connection.peer.state is State.OPEN
    assert trio.current_time() > 149


@bounded
async def test_dpr_is_answered_behind_the_answers_in_flight(house, autojump_clock):
    await house.gateway.opens()
    await house.gateway.send(request(1), request(2, command=282, body=ORIGIN + unsigned32(273, 0)))
    await trio.testing.wait_all_tasks_blocked()
    house.service.answer()
    assert parse_header(await house.gateway.receive()).command_code == 272
    assert await house.gateway.result() == (282, 2001)
    await house.gateway.stream.aclose()
    assert await house.closed() == "the peer closed the connection"


@bounded
async def test_dpr_of_a_peer_that_stays_connected_ends_all_the_same(house, autojump_clock):
    await house.gateway.opens()
    await house.gateway.send(request(2, command=282, body=ORIGIN + unsigned32(273, 0)))
    assert await house.gateway.result() == (282, 2001)
    await house.gateway.sees_the_end()


@bounded
async def test_stop_takes_leave_and_loses_no_answer(house, autojump_clock):
    await house.gateway.opens()
    await house.gateway.send(request(1))
    await trio.testing.wait_all_tasks_blocked()
    house.connection.stop()
    dpr = parse_header(await house.gateway.receive())
    assert (dpr.command_code, dpr.is_request) == (282, True)
    await house.gateway.send(
        request(2), encode_message(282, 0, 0, dpr.hop_by_hop_id, dpr.end_to_end_id, ORIGIN)
    )
    await trio.sleep(1)
    house.service.answer()
    house.service.answer()
    seen = [parse_header(await house.gateway.receive()).hop_by_hop_id for _ in range(2)]
    assert seen == [1, 2]
    await house.gateway.sees_the_end()


@bounded
async def test_stop_of_an_unknown_peer_just_hangs_up(house, autojump_clock):
    house.connection.stop()
    await house.gateway.sees_the_end()


@bounded
async def test_answer_after_the_end_is_dropped(house, autojump_clock):
    await house.gateway.opens()
    await house.gateway.send(request(1))
    await trio.testing.wait_all_tasks_blocked()
    await house.gateway.stream.aclose()
    await house.closed()
    house.service.answer()
    assert house.connection.in_flight == 0


@bounded
async def test_error_of_ours_ends_one_connection_only(nursery, autojump_clock):
    with structlog.testing.capture_logs() as lines:
        sick = House(nursery, trio.testing.memory_stream_pair())
        well = House(nursery, trio.testing.memory_stream_pair())
        await sick.gateway.opens()
        await well.gateway.opens()
        sick.service.fails = True
        await sick.gateway.send(request(1))
        await sick.gateway.sees_the_end()
        await well.gateway.send(request(1, command=280, body=ORIGIN))
        assert await well.gateway.result() == (280, 2001)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["connection_failed"]


@bounded
async def test_lost_transport_is_one_log_line_and_no_error(house, autojump_clock):
    await house.gateway.opens()
    with structlog.testing.capture_logs() as lines:
        await house.gateway.stream.aclose()
        await house.closed()
    assert [line["event"] for line in lines] == ["peer_closed"]


@bounded
async def test_peer_is_forgotten_by_the_table_when_its_connection_ends(nursery, autojump_clock):
    table = PeerTable()
    house = House(nursery, trio.testing.memory_stream_pair(), table)
    await house.gateway.opens()
    assert table.connections_of("pgw.example") == 1
    await house.gateway.stream.aclose()
    await house.closed()
    assert table.connections_of("pgw.example") == 0


@bounded
async def test_peer_that_must_rest_is_read_again_after_its_rest_and_loses_nothing(house, autojump_clock):
    await house.gateway.opens()
    house.service.rests, house.service.at_once = 5, True
    began_s = trio.current_time()
    await house.gateway.send(*(request(number) for number in range(3)))
    for number in range(3):
        assert parse_header(await house.gateway.receive()).hop_by_hop_id == number
    assert trio.current_time() - began_s == pytest.approx(5 * OVERLOAD_INTERVAL_S)


@bounded
async def test_peer_that_is_not_read_is_not_taken_for_dead(house, autojump_clock):
    await house.gateway.opens()
    house.service.rests = int(200 / OVERLOAD_INTERVAL_S)
    await house.gateway.send(request(1))
    await trio.sleep(150)
    assert not house.connection.is_closed


@bounded
async def test_peer_that_reads_slowly_is_asked_for_patience_and_gets_every_answer(nursery, autojump_clock):
    house = House(nursery, trio.testing.lockstep_stream_pair())
    house.service.at_once, house.service.body = True, bytes(4_000)
    await house.gateway.opens()
    count = SEND_BUFFER_OCTETS_MAX // 1_000
    nursery.start_soon(house.gateway.send, *(request(number) for number in range(count)))
    for number in range(count):
        if number % 100 == 0:
            await trio.sleep(SEND_STALL_TIMEOUT_S / 2)
        assert parse_header(await house.gateway.receive()).hop_by_hop_id == number
    assert not house.connection.is_closed
