import itertools

import pytest

from ocs.diameter_gy.admission import AdmissionPolicy
from ocs.diameter_gy.avp import split_avps, unsigned32, utf8
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.diameter_gy.peer import (
    Answered,
    Disconnect,
    Ignored,
    Opened,
    Peer,
    PeerPolicy,
    Refused,
    Send,
    Serve,
    StateAdvanced,
)
from ocs.diameter_gy.peer_states import TRANSITIONS, Action, Event, State
from ocs.diameter_gy.peer_table import PeerTable
from ocs.diameter_gy.watchdog import WatchdogState
from ocs.limits import (
    CAPABILITIES_EXCHANGE_TIMEOUT_S,
    CONNECTIONS_PER_PEER_MAX,
    DISCONNECT_TIMEOUT_S,
    DRAIN_TIMEOUT_S,
)
from ocs.settings import PeerSettings

OURS = NodeIdentity("ocs.lab.example", "lab.example", "ocs-bss", origin_state_id=7)
ORIGIN = utf8(264, "pgw.example") + utf8(296, "example")
CAPABLE = ORIGIN + unsigned32(258, 4)


def new_peer(*, listed="*", table=None, now_s=0.0, watchdog_interval_s=30.0):
    policy = PeerPolicy(
        admission=AdmissionPolicy.from_settings((PeerSettings(origin_host=listed),)),
        table=PeerTable() if table is None else table,
        watchdog_interval_s=watchdog_interval_s,
        draw_jitter_s=lambda: 0.0,
        draw_identifier=lambda: 0xFFFFFFFE,
    )
    return Peer(policy, OURS, ("192.0.2.1",), now_s=now_s)


def receive(peer, command, body=ORIGIN, *, flags=0x80, hop_by_hop=9, application=0, now_s=0.0):
    message = encode_message(command, application, flags, hop_by_hop, 10, body)
    return peer.receive(message, parse_header(message), now_s)


def cer(peer, body=CAPABLE, *, flags=0x80, now_s=0.0):
    return receive(peer, 257, body, flags=flags, now_s=now_s)


def open_peer(**arguments):
    peer = new_peer(**arguments)
    cer(peer, now_s=arguments.get("now_s", 0.0))
    assert peer.state is State.OPEN
    return peer


def sent(outputs):
    """(command, is request, Result-Code or None) of everything sent."""
    found = []
    for output in outputs:
        if isinstance(output, Send):
            header = parse_header(output.message)
            results = [int.from_bytes(a.data) for a in split_avps(output.message, 20) if a.code == 268]
            found.append((header.command_code, header.is_request, results[0] if results else None))
    return found


def header_of(output):
    """The header of a message that was sent."""
    assert isinstance(output, Send)
    return parse_header(output.message)


def kinds(outputs):
    return [type(output) for output in outputs]


# --- every state x every event, driven from outside ---

REACHED = {
    State.WAIT_CER: [],
    State.OPEN: ["cer"],
    State.CLOSING: ["cer", "stop"],
    State.FINISHING: ["cer", "stop", "dpa"],
    State.PEER_LEAVING: ["cer", "dpr"],
    State.PEER_LEFT: ["cer", "dpr", "drained"],
    State.CLOSED: ["cer", "disconnected"],
}
EVENTS = {
    Event.CER_ACCEPTED: "cer",
    Event.CER_REFUSED: "bad cer",
    Event.RECEIVED_DWR: "dwr",
    Event.RECEIVED_DWA: "dwa",
    Event.RECEIVED_DPR: "dpr",
    Event.RECEIVED_DPA: "dpa",
    Event.RECEIVED_REQUEST: "ccr",
    Event.RECEIVED_ANSWER: "cca",
    Event.DRAINED: "drained",
    Event.STOP: "stop",
    Event.TIMEOUT: "timeout",
    Event.PEER_DISCONNECTED: "disconnected",
}


def drive(peer, step):
    match step:
        case "cer":
            return cer(peer)
        case "bad cer":
            return cer(peer, ORIGIN)
        case "dwr":
            return receive(peer, 280)
        case "dwa":  # the answer to a DWR of ours
            peer._awaited[77] = Event.RECEIVED_DWA
            return receive(peer, 280, flags=0, hop_by_hop=77)
        case "dpr":
            return receive(peer, 282)
        case "dpa":
            peer._awaited[78] = Event.RECEIVED_DPA
            return receive(peer, 282, flags=0, hop_by_hop=78)
        case "ccr":
            return receive(peer, 272, application=4)
        case "cca":
            return receive(peer, 272, flags=0, application=4)
        case "drained":
            return peer.drained(0.0)
        case "stop":
            return peer.stop(0.0)
        case "disconnected":
            return peer.disconnected(0.0)
        case "timeout" if peer.state is State.OPEN:  # three silent watchdog intervals
            peer.tick(1000.0)
            peer.tick(2000.0)
            return peer.tick(3000.0)
        case _:
            return peer.tick(1000.0)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_event_in_every_state_does_what_the_table_says(state, event):
    peer = new_peer()
    for step in REACHED[state]:
        drive(peer, step)
    assert peer.state is state
    actions, following = TRANSITIONS[state, event]
    outputs = drive(peer, EVENTS[event])
    assert peer.state is following
    expected = {
        Action.SEND_CEA: (257, False),
        Action.SEND_DWA: (280, False),
        Action.SEND_DPA: (282, False),
        Action.SEND_DPR: (282, True),
    }
    assert [(command, is_request) for command, is_request, _ in sent(outputs)] == [
        expected[action] for action in actions if action in expected
    ]
    assert (Serve in kinds(outputs)) == (Action.PROCESS in actions)
    assert (Ignored in kinds(outputs)) == (Action.IGNORE in actions or (state, event) in IGNORED_WHEN_CLOSED)
    assert (Disconnect in kinds(outputs)) == (Action.DISCONNECT in actions)


# After the end a message is dropped where it stands; requests say so.
IGNORED_WHEN_CLOSED = {(State.CLOSED, Event.RECEIVED_REQUEST)}


# --- capabilities exchange ---


def test_accepted_cer_opens_and_is_answered():
    peer = new_peer()
    outputs = cer(peer)
    assert kinds(outputs) == [Opened, Send]
    assert sent(outputs) == [(257, False, 2001)]
    assert peer.is_open
    assert peer.is_serving
    assert peer.capabilities
    assert peer.capabilities.origin.host == "pgw.example"


def test_cea_repeats_the_identifiers_of_the_cer():
    outputs = cer(new_peer())
    header = parse_header(outputs[-1].message)
    assert (header.hop_by_hop_id, header.end_to_end_id) == (9, 10)


@pytest.mark.parametrize(
    ("body", "listed", "flags", "result_code"),
    [
        (ORIGIN + unsigned32(258, 4), "smf.example", 0x80, 3010),
        (ORIGIN + unsigned32(258, 5), "*", 0x80, 5010),
        (ORIGIN + unsigned32(258, 4) + unsigned32(299, 1), "*", 0x80, 5017),
        (utf8(296, "example") + unsigned32(258, 4), "*", 0x80, 5005),
        (utf8(264, "pgw.example") + unsigned32(258, 4), "*", 0x80, 5005),
        (ORIGIN + unsigned32(258, 4) + b"\0\0\0\1\x40\0\0\xff", "*", 0x80, 5014),
        (ORIGIN + unsigned32(258, 4, flags=0x41), "*", 0x80, 3009),
        (ORIGIN + unsigned32(258, 4), "*", 0xA0, 3008),
        (ORIGIN + unsigned32(258, 4), "*", 0x81, 5013),
    ],
)
def test_cer_that_cannot_be_accepted_is_answered_with_its_code_and_the_connection_closed(
    body, listed, flags, result_code
):
    peer = new_peer(listed=listed)
    outputs = cer(peer, body, flags=flags)
    assert kinds(outputs) == [Refused, Send, Disconnect]
    assert sent(outputs) == [(257, False, result_code)]
    assert peer.state is State.CLOSED


def test_certificate_of_another_node_is_refused():
    peer = new_peer()
    peer.certificate_names = ("other.example",)
    assert sent(cer(peer)) == [(257, False, 3010)]


def test_second_cer_updates_capabilities_and_keeps_the_watchdog():
    peer = open_peer()
    outputs = cer(peer, ORIGIN + unsigned32(258, 4) + unsigned32(258, 5))
    assert outputs[0].again
    assert peer.capabilities
    assert peer.capabilities.application_ids == {4, 5}
    assert peer._policy.table.connections_of("pgw.example") == 1


def test_second_cer_of_another_node_is_refused():
    peer = open_peer()
    outputs = cer(peer, utf8(264, "other.example") + utf8(296, "example") + unsigned32(258, 4))
    assert sent(outputs) == [(257, False, 3010)]
    assert peer.state is State.CLOSED


def test_two_connections_of_one_peer_are_both_open_and_counted():
    table = PeerTable()
    first, second = open_peer(table=table), open_peer(table=table)
    assert first.is_open
    assert second.is_open
    assert table.connections_of("pgw.example") == 2
    first.disconnected(0.0)
    first.disconnected(0.0)
    assert table.connections_of("pgw.example") == 1


def test_peer_with_too_many_connections_gets_no_more_and_keeps_those_it_has():
    table = PeerTable()
    peers = [open_peer(table=table) for _ in range(CONNECTIONS_PER_PEER_MAX)]
    late = new_peer(table=table)
    outputs = cer(late)
    assert sent(outputs) == [(257, False, 5006)]
    assert kinds(outputs)[-1] is Disconnect
    assert sent(cer(peers[0])) == [(257, False, 2001)]
    peers[1].disconnected(1.0)
    open_peer(table=table)


def test_refused_peer_is_not_counted():
    table = PeerTable()
    cer(new_peer(table=table, listed="smf.example"))
    assert table.connections_of("pgw.example") == 0


def test_silence_before_cer_ends_the_connection():
    peer = new_peer()
    assert peer.tick(CAPABILITIES_EXCHANGE_TIMEOUT_S - 0.1) == []
    assert kinds(peer.tick(CAPABILITIES_EXCHANGE_TIMEOUT_S)) == [Disconnect]


def test_rise_of_origin_state_id_is_reported_from_cer_and_dwr():
    table = PeerTable()
    with_state = ORIGIN + unsigned32(258, 4) + unsigned32(278, 5)
    assert StateAdvanced not in kinds(cer(new_peer(table=table), with_state))
    peer = new_peer(table=table)
    assert StateAdvanced in kinds(cer(peer, ORIGIN + unsigned32(258, 4) + unsigned32(278, 6)))
    assert StateAdvanced in kinds(receive(peer, 280, ORIGIN + unsigned32(278, 7)))
    assert StateAdvanced not in kinds(receive(peer, 280, ORIGIN + unsigned32(278, 7)))


# --- watchdog ---


def test_watchdog_request_is_answered():
    assert sent(receive(open_peer(), 280)) == [(280, False, 2001)]


def test_faulty_watchdog_request_is_answered_with_its_code():
    outputs = receive(open_peer(), 280, utf8(264, "pgw.example"))
    assert sent(outputs) == [(280, False, 5005)]
    assert isinstance(outputs[0], Refused)
    assert outputs[0].command_code == 280


def test_silent_peer_is_asked_once_and_closed_after_three_intervals():
    peer = open_peer()
    assert sent(peer.tick(30.0)) == [(280, True, None)]
    assert peer.tick(60.0) == []
    assert peer.watchdog_state is WatchdogState.SUSPECT
    assert kinds(peer.tick(90.0)) == [Disconnect]
    assert peer.state is State.CLOSED


def test_answered_watchdog_keeps_the_connection_and_another_answer_to_it_is_ignored():
    peer = open_peer()
    (request,) = peer.tick(30.0)
    identifier = header_of(request).hop_by_hop_id
    assert receive(peer, 280, flags=0, hop_by_hop=identifier, now_s=31.0) == []
    assert kinds(receive(peer, 280, flags=0, hop_by_hop=identifier, now_s=32.0)) == [Ignored]
    assert sent(peer.tick(61.0)) == [(280, True, None)]


def test_identifiers_of_our_requests_differ_and_wrap():
    peer = open_peer()
    seen = []
    for number in range(1, 4):
        (request,) = peer.tick(number * 100.0)
        header = header_of(request)
        seen.append(header.hop_by_hop_id)
        receive(peer, 280, flags=0, hop_by_hop=header.hop_by_hop_id, now_s=number * 100.0)
    assert seen == [0xFFFFFFFF, 0, 1]


def test_traffic_postpones_the_watchdog():
    peer = open_peer()
    peer.hear(20.0)
    assert peer.tick(30.0) == []
    assert peer.deadline_s == 50.0


def test_peer_that_fell_silent_comes_back_in_reopen_and_is_probed_at_once():
    table = PeerTable()
    lost = open_peer(table=table)
    for now_s in (30.0, 60.0, 90.0):
        lost.tick(now_s)
    again = open_peer(table=table, now_s=100.0)
    assert again.watchdog_state is WatchdogState.REOPEN
    assert again.is_serving
    assert sent(again.tick(100.0)) == [(280, True, None)]


# --- leaving ---


def test_peer_that_leaves_gets_its_answers_before_dpa():
    peer = open_peer()
    assert receive(peer, 282, ORIGIN + unsigned32(273, 0)) == []
    assert peer.awaits_drain
    assert sent(peer.drained(1.0)) == [(282, False, 2001)]
    assert kinds(peer.tick(1.0 + DISCONNECT_TIMEOUT_S)) == [Disconnect]


def test_peer_that_leaves_gets_dpa_in_bounded_time_even_when_answers_are_missing():
    peer = open_peer()
    receive(peer, 282, now_s=1.0)
    assert sent(peer.tick(1.0 + DRAIN_TIMEOUT_S)) == [(282, False, 2001)]


def test_faulty_dpr_is_answered_with_its_code_and_ends_the_connection_all_the_same():
    peer = open_peer()
    assert kinds(receive(peer, 282, ORIGIN + unsigned32(273, 9))) == [Refused]
    assert sent(peer.drained(0.0)) == [(282, False, 5004)]
    assert peer.state is State.PEER_LEFT


def test_our_stop_says_rebooting_and_waits_for_dpa_and_answers():
    peer = open_peer()
    (request,) = peer.stop(0.0)
    assert isinstance(request, Send)
    (cause,) = [avp for avp in split_avps(request.message, 20) if avp.code == 273]
    assert cause.data == bytes(4)
    assert kinds(receive(peer, 272, application=4)) == [Serve]
    receive(peer, 282, flags=0, hop_by_hop=header_of(request).hop_by_hop_id)
    assert peer.state is State.FINISHING
    assert kinds(receive(peer, 272, application=4)) == [Ignored]
    assert kinds(peer.drained(0.0)) == [Disconnect]


def test_our_stop_ends_in_bounded_time_without_dpa():
    peer = open_peer()
    peer.stop(0.0)
    assert peer.tick(DISCONNECT_TIMEOUT_S) == []
    assert kinds(peer.tick(DISCONNECT_TIMEOUT_S + DRAIN_TIMEOUT_S)) == [Disconnect]


def test_both_sides_leaving_at_once_both_get_their_answer():
    peer = open_peer()
    peer.stop(0.0)
    receive(peer, 282)
    receive(peer, 282, flags=0, hop_by_hop=0xFFFFFFFF)
    assert sent(peer.drained(0.0)) == [(282, False, 2001)]


def test_answer_to_nothing_is_ignored():
    peer = open_peer()
    assert kinds(receive(peer, 258, flags=0, application=4)) == [Ignored]
    assert kinds(receive(peer, 282, flags=0, hop_by_hop=1)) == [Ignored]
    assert peer.state is State.OPEN


# --- our own requests of an application ---


@pytest.mark.parametrize("state", [State.OPEN, State.CLOSING, State.PEER_LEAVING])
def test_answer_to_a_request_of_ours_comes_out_once(state):
    peer = open_peer()
    number = peer.number_request()
    if state is State.CLOSING:
        peer.stop(0.0)
    elif state is State.PEER_LEAVING:
        receive(peer, 282, ORIGIN + unsigned32(273, 0))
    assert peer.state is state
    [output] = receive(peer, 258, flags=0x40, hop_by_hop=number, application=4)
    assert isinstance(output, Answered)
    assert (output.header.command_code, output.header.hop_by_hop_id) == (258, number)
    assert kinds(receive(peer, 258, flags=0x40, hop_by_hop=number, application=4)) == [Ignored]


def test_answer_to_a_request_that_is_forgotten_is_ignored():
    peer = open_peer()
    number = peer.number_request()
    peer.forget_request(number)
    assert kinds(receive(peer, 258, flags=0x40, hop_by_hop=number, application=4)) == [Ignored]


def test_requests_of_ours_have_numbers_of_their_own_and_a_stray_answer_takes_none():
    peer = open_peer()
    first, second = peer.number_request(), peer.number_request()
    assert first != second
    assert kinds(receive(peer, 280, flags=0, hop_by_hop=first)) == [Ignored]
    assert kinds(receive(peer, 258, flags=0x40, hop_by_hop=first, application=4)) == [Answered]
