"""Every recorded message is sent to the real server and gets the answer that the standard wants."""

from collections import defaultdict

import pytest
from diameter.message import Message

from tests.endtoend.lab import browsing_micro, messaging_micro, video_micro
from tests.endtoend.recordings import (
    MAGMA_SUBSCRIBERS,
    erlang_cer,
    is_broken,
    joined,
    octets,
    readdressed,
    rows,
    split,
)
from tests.endtoend.wire import DISCONNECT, TERMINATION, Answer, Gateway

pytestmark = pytest.mark.usefixtures("magma_ocs")
PRICES = {1: browsing_micro, 2: video_micro, 3: messaging_micro, 9: lambda octets: 0}


@pytest.fixture
def connect(magma_ocs, capture):
    opened = []

    def open_gateway(host="string", *, exchange=True):
        gateway = Gateway(magma_ocs.address, capture, host=host, judged=False)
        opened.append(gateway)
        return gateway.opened() if exchange else gateway

    yield open_gateway
    for gateway in opened:
        gateway.close()


def requests(name, command=272):
    return [
        octets(row)
        for row in rows(name)
        if octets(row)[4] & 0x80 and int.from_bytes(octets(row)[5:8]) == command and not is_broken(row)
    ]


def assert_echoes(answer, request):
    """Session-Id, application, type and number are the request's."""
    asked = Answer(request)
    assert answer.application == asked.application
    assert answer.all(263) == asked.all(263)
    for code in (258, 416, 415):
        assert answer.get(code) == asked.get(code)
    assert answer.one(264) == b"tvm-vocs.magma.com"


def is_alive(gateway):
    return gateway.ask(gateway.watchdog()).result == 2001


# --- Magma ---------------------------------------------------------------------------------------------------


def test_magma_initials_for_another_host_are_told_so(connect):
    gateway = connect()
    initials = [
        octets(row)
        for row in rows("magma")
        if row["request_or_answer"] == "R" and row["cc_request_type"] == "1"
    ]
    assert len(initials) == 11
    for request in initials:
        answer = gateway.ask(request)
        assert (answer.result, answer.is_error) == (3002, True)
        assert answer.one(263) == Answer(request).one(263)


def test_magma_sessions_are_charged_to_the_unit(magma_ocs, connect):
    """All eleven, in the order of the wire; an INITIAL asks for another host, and so is readdressed."""
    gateway = connect()
    before = {payer: magma_ocs.balance(f"M{payer}") for payer in MAGMA_SUBSCRIBERS}
    used = defaultdict(int)
    open_sessions = defaultdict(set)
    for row in rows("magma"):
        if row["request_or_answer"] != "R":
            continue
        request = octets(row) if row["cc_request_type"] != "1" else readdressed(octets(row))
        answer = gateway.ask(request)
        assert answer.result == 2001, (row["capture"], row["cc_request_type"], row["cc_request_number"])
        assert not answer.is_error
        assert_echoes(answer, request)
        asked = Message.from_bytes(request)
        payer = asked.subscription_id[0].subscription_id_data
        (open_sessions[payer].discard if asked.cc_request_type == TERMINATION else open_sessions[payer].add)(
            asked.session_id
        )
        granted = {service[432]: service for service in answer.services()}
        for service in asked.multiple_services_credit_control:
            used[payer, asked.session_id, service.rating_group] += sum(
                u.cc_total_octets for u in service.used_service_unit
            )
            if asked.cc_request_type != TERMINATION:
                assert granted[service.rating_group][268] == 2001
    for payer in MAGMA_SUBSCRIBERS:
        spent = sum(PRICES[group](octets) for (who, _, group), octets in used.items() if who == payer)
        assert before[payer] - magma_ocs.balance(f"M{payer}") == spent
        assert magma_ocs.reserved(f"M{payer}") > 0 or not open_sessions[payer]
        assert -sum(event.amount_micro for event in magma_ocs.debits(f"M{payer}")) == spent
    assert sum(used.values()) > 100_000


def test_magma_answers_sent_to_us_are_ignored(connect):
    gateway = connect()
    for row in rows("magma"):
        if row["request_or_answer"] == "A":
            gateway.send(octets(row))
    assert is_alive(gateway)


# --- freeDiameter --------------------------------------------------------------------------------------------


def test_freediameter_as_peer_is_let_in_watched_and_let_go(connect):
    gateway, count = connect("relay", exchange=False), 0
    for row in rows("freediameter"):
        message = octets(row)
        if row["command"] == "257":
            gateway = connect("relay", exchange=False)
            assert gateway.ask(message).result == 2001
            count += 1
        elif row["case"].startswith("cea-variant") and row["command"] in {"280", "282"}:
            assert gateway.ask(message).result == 2001
    assert count == 19


def test_freediameter_relays_are_told_of_another_host_and_keep_their_end_to_end_identifiers(connect):
    gateway = connect("fdr.test.local")
    for request in requests("freediameter"):
        answer = gateway.ask(request)
        assert (answer.result, answer.is_error) == (3002, True)


def test_freediameter_copies_with_T_and_of_another_relay_get_the_first_answer(magma_ocs, connect):
    gateway = connect("fdr.test.local")
    first = {}
    before = magma_ocs.reserved("M1234567810")
    for request in map(readdressed, requests("freediameter")):
        session = Answer(request).one(263)
        answer = gateway.ask(request)
        assert answer.result == 2001
        assert first.setdefault(session, answer.frame[20:]) == answer.frame[20:]
    assert len(first) == 10
    assert magma_ocs.reserved("M1234567810") > before
    assert any(request[4] & 0x10 for request in requests("freediameter"))


def test_freediameter_answers_sent_to_us_are_ignored(connect):
    gateway = connect("fdr.test.local")
    for row in rows("freediameter"):
        if row["request_or_answer"] == "A":
            gateway.send(octets(row))
    assert is_alive(gateway)


# --- Qubership and Erlang ------------------------------------------------------------------------------------


def test_capabilities_of_other_vendors_are_accepted(connect):
    cers = [*requests("qubership", command=257), erlang_cer()]
    assert len(cers) == 4
    for cer in cers:
        answer = connect("other", exchange=False).ask(cer)
        assert answer.result == 2001
        assert answer.one(264) == b"tvm-vocs.magma.com"


def test_watchdog_of_another_vendor_is_answered(connect):
    for dwr in requests("qubership", command=280):
        assert connect(Answer(dwr).one(264).decode()).ask(dwr).result == 2001


def test_credit_requests_for_realms_not_ours_are_told_so(connect):
    gateway = connect()
    found = requests("qubership")
    assert len(found) == 2
    for request in found:
        answer = gateway.ask(request)
        assert (answer.result, answer.is_error) == (3003, True)
        assert answer.one(263) == Answer(request).one(263)


def test_ericsson_update_without_a_session_here_is_answered(magma_ocs, connect):
    magma_ocs.open_account("ericsson", "e164:15100000078", "imsi:302510400000090")
    request = readdressed(requests("qubership")[0])
    answer = connect("c2-10-217-32-2-lbepg201.vl.ca").ask(request)
    assert_echoes(answer, request)
    assert answer.result == 5002


def test_unknown_mandatory_avps_of_a_vendor_outside_service_information_are_named(magma_ocs, connect):
    magma_ocs.open_account("mms", "e164:3240000088")
    request = readdressed(requests("qubership")[1])
    answer = connect().ask(request)
    assert answer.result == 5001
    assert answer.all(279) != []
    known = joined(request, [part for part in split(request) if part[8:12] != (666).to_bytes(4)])
    answer = connect().ask(known)
    assert answer.result == 2001
    assert answer.granted() > 0
    assert answer.services()[0][448] > 0


def test_requests_of_other_applications_and_commands_are_refused(connect):
    gateway = connect()
    seen = {}
    for row in rows("qubership"):
        message = octets(row)
        command, application = int(row["command"]), int(row["application"])
        if row["request_or_answer"] == "R" and not is_broken(row) and command not in {257, 272, 280}:
            answer = gateway.ask(message)
            assert answer.is_error
            assert answer.all(263) == Answer(message).all(263)
            seen[command, application] = answer.result
    assert seen == {
        (258, 4): 3001,
        (8388635, 16777302): 3007,
        (8388636, 16777302): 3007,
        (275, 16777302): 3007,
    }


def test_answers_of_other_vendors_are_ignored(connect):
    gateway = connect()
    for row in rows("qubership"):
        if row["request_or_answer"] == "A" and not is_broken(row):
            gateway.send(octets(row))
    assert is_alive(gateway)


@pytest.mark.parametrize(
    "row", [row for row in rows("qubership") if is_broken(row)], ids=lambda row: row["name"]
)
def test_broken_message_ends_its_own_connection_alone(connect, row):
    other = connect()
    broken = connect("broken.example")
    broken.send(octets(row), judged=False)
    for frame in broken.frames():
        answer = Answer(frame)
        assert answer.command != DISCONNECT
        if not answer.is_request:
            assert answer.result in {2001, 3007, 5011, 5014, 5015}
    assert is_alive(other)
