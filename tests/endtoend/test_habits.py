"""Habits of real gateways: flows of Open5GS' SMF and Kamailio's ims_charging, and oddities seen on the wire.

Each message is made by hand as the named stack sends it. What a stack needs in an answer is checked, and the money.
"""

import struct

import pytest

from bench.templates import avp, unsigned32
from tests.endtoend.lab import EURO, browsing_micro, europe_call_micro, ims_call_micro
from tests.endtoend.wire import (
    DATA,
    EVENT,
    INITIAL,
    SMS,
    TERMINATION,
    UPDATE,
    VENDOR_3GPP,
    VOICE,
    call_to,
    group_3gpp,
    message_to,
    new_session,
    requested,
    retransmitted,
    service,
    subscription,
    text,
    used,
)

MIB = 1 << 20
ALWAYS_THERE = (263, 268, 264, 296, 258, 416, 415)


def both(subscriber):
    return (subscription(1, subscriber.imsi), subscription(0, subscriber.msisdn))


# --- Open5GS -------------------------------------------------------------------------------------------------


def open5gs_service(*parts):
    return service(None, *parts)


def open5gs_information():
    return group_3gpp(
        873,
        group_3gpp(
            874,
            avp(2, b"\0\0\0\1", vendor=VENDOR_3GPP),
            unsigned32(3, 0, vendor=VENDOR_3GPP),
            avp(1227, b"\0\1\x0a\x2d\0\2", vendor=VENDOR_3GPP),
            avp(1228, b"\0\1\x7f\0\0\4", vendor=VENDOR_3GPP),
            avp(847, b"\0\1\x7f\0\0\4", vendor=VENDOR_3GPP),
            text(30, "internet"),
            text(18, "90170", vendor=VENDOR_3GPP),
            avp(22, bytes.fromhex("8209f107000109f10700019b01"), vendor=VENDOR_3GPP),
            avp(21, b"\6", vendor=VENDOR_3GPP),
        ),
    )


def open5gs(gateway, session, subscriber, request_type, number, *parts):
    return gateway.credit(
        session, request_type, number, unsigned32(436, 0), unsigned32(455, 0), *parts, open5gs_information(),
        subscriptions=both(subscriber),
    )  # fmt: skip


def assert_open5gs_takes(answer):
    """It drops an answer, and hangs, unless these are there once each, Session-Id first."""
    assert [answer.all(code) != [] and len(answer.all(code)) for code in ALWAYS_THERE] == [1] * len(
        ALWAYS_THERE
    )
    assert int.from_bytes(answer.frame[20:24]) == 263
    assert answer.granted() is not None  # without CC-Total-Octets the volume is unlimited
    assert answer.services()[0][448] > 0


def test_open5gs_session_without_rating_group_is_granted_octets_with_a_validity_on_every_answer(
    ocs, gateway, subscribe
):
    subscriber, session = subscribe(), new_session("smf.open5gs")
    initial = gateway.ask(
        open5gs(gateway, session, subscriber, INITIAL, 0, open5gs_service(requested(total=MIB)))
    )
    assert initial.result == 2001
    assert_open5gs_takes(initial)
    assert ocs.reserved(subscriber.account) >= browsing_micro(MIB)
    report = open5gs_service(requested(total=MIB), used(seconds=10, input=300_000, output=700_000))
    update = gateway.ask(open5gs(gateway, session, subscriber, UPDATE, 1, report))
    assert update.result == 2001
    assert_open5gs_takes(update)
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(1_000_000)
    last = open5gs_service(used(seconds=3, input=1, output=2))
    assert gateway.ask(open5gs(gateway, session, subscriber, TERMINATION, 2, last)).result == 2001
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(1_000_003)
    assert ocs.reserved(subscriber.account) == 0


def test_open5gs_refused_at_initial_is_told_for_the_whole_message_and_leaves_no_session(
    ocs, gateway, subscribe
):
    subscriber, session = subscribe(balance=0), new_session("smf.open5gs")
    initial = gateway.ask(
        open5gs(gateway, session, subscriber, INITIAL, 0, open5gs_service(requested(total=MIB)))
    )
    assert initial.result == 4012
    assert gateway.ask(open5gs(gateway, session, subscriber, TERMINATION, 1)).result == 2001
    assert ocs.debits(subscriber.account) == []


def test_requested_action_outside_an_event_is_ignored(ocs, gateway, subscribe):
    subscriber, session = subscribe(), new_session()
    parts = (unsigned32(436, 1), service(10, requested(total=MIB)))  # REFUND_ACCOUNT
    assert (
        gateway.ask(gateway.credit(session, INITIAL, 0, *parts, subscriptions=both(subscriber))).result
        == 2001
    )
    assert ocs.debits(subscriber.account) == []
    assert ocs.reserved(subscriber.account) > 0


# --- Kamailio ------------------------------------------------------------------------------------------------


def kamailio(gateway, session, subscriber, request_type, number, *units):
    """Origin-Host and -Realm twice, application 4 inside Vendor-Specific-Application-Id alone."""
    request = gateway.credit(
        session, request_type, number,
        gateway.origin,
        avp(260, unsigned32(266, VENDOR_3GPP) + unsigned32(258, 4)),
        service(100, unsigned32(439, 1000), *units),
        call_to("sip:bob@ims.example"),
        context="ext.01.001.8.32260@3gpp.org",
        subscriptions=(subscription(2, f"sip:{subscriber.account}@ims.example"),),
    )  # fmt: skip
    top_level = unsigned32(258, 4)
    start = request.index(top_level)
    shorter = request[:start] + request[start + len(top_level) :]
    return shorter[:1] + len(shorter).to_bytes(3) + shorter[4:]


def sip_subscriber(ocs, name, balance=5 * EURO):
    ocs.open_account(name, f"sip:{name}@ims.example", balance=balance)

    class Caller:
        account = name

    return Caller


def test_kamailio_call_reports_nothing_a_second_after_the_answer_and_is_charged_at_its_end(ocs, gateway):
    caller, session = sip_subscriber(ocs, "kamailio-1"), new_session("scscf.ims.example")
    initial = gateway.ask(kamailio(gateway, session, caller, INITIAL, 0, requested(seconds=30)))
    assert initial.result == 2001
    assert initial.granted(code=420) >= 30
    assert initial.services()[0][448] > 0
    update = gateway.ask(
        kamailio(gateway, session, caller, UPDATE, 1, requested(seconds=30), used(seconds=0))
    )
    assert update.result == 2001
    assert ocs.balance("kamailio-1") == 5 * EURO
    assert gateway.ask(kamailio(gateway, session, caller, TERMINATION, 2, used(seconds=76))).result == 2001
    assert 5 * EURO - ocs.balance("kamailio-1") == ims_call_micro(76)


def test_kamailio_refused_call_is_followed_by_a_termination_that_costs_nothing(ocs, gateway):
    caller, session = sip_subscriber(ocs, "kamailio-2", balance=0), new_session("scscf.ims.example")
    assert gateway.ask(kamailio(gateway, session, caller, INITIAL, 0, requested(seconds=30))).result == 4012
    assert gateway.ask(kamailio(gateway, session, caller, TERMINATION, 1, used(seconds=0))).result == 2001
    assert ocs.debits("kamailio-2") == []


# --- Identities ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "identity", "data"),
    [
        (0, "e164:4915990000001", "4915990000001"),
        (0, "e164:4915990000002", "+4915990000002"),
        (1, "imsi:262019990000003", "262019990000003"),
        (2, "sip:alice4@ims.example", "sip:alice4@ims.example"),
        (3, "nai:alice5@example", "alice5@example"),
        (4, "private:box-6", "box-6"),
    ],
    ids=["E.164", "E.164 with plus", "IMSI", "SIP URI", "NAI", "private"],
)
def test_subscription_id_of_each_kind_finds_its_account(ocs, gateway, subscribe, kind, identity, data):
    subscriber = subscribe(identity)
    request = gateway.credit(
        new_session(),
        INITIAL,
        0,
        service(10, requested(total=MIB)),
        subscriptions=(subscription(kind, data),),
    )
    assert gateway.ask(request).result == 2001
    assert ocs.reserved(subscriber.account) > 0


def test_subscription_id_inside_service_information_alone_finds_its_account(ocs, gateway, subscribe):
    subscriber = subscribe()
    information = group_3gpp(873, subscription(0, subscriber.msisdn), group_3gpp(874, text(30, "internet")))
    request = gateway.credit(new_session(), INITIAL, 0, service(10, requested(total=MIB)), information)
    assert gateway.ask(request).result == 2001
    assert ocs.reserved(subscriber.account) > 0


def test_user_name_stands_in_for_a_missing_subscription_id(ocs, gateway, subscribe):
    subscriber = subscribe("nai:262010000099991@wlan.example")
    name = text(1, "262010000099991@wlan.example")
    request = gateway.credit(new_session(), INITIAL, 0, name, service(10, requested(total=MIB)))
    assert gateway.ask(request).result == 2001
    assert ocs.reserved(subscriber.account) > 0


def test_nobody_named_is_a_missing_avp_and_an_unknown_one_is_user_unknown(gateway):
    nobody = gateway.ask(gateway.credit(new_session(), INITIAL, 0, service(10, requested(total=MIB))))
    assert nobody.result == 5005
    assert nobody.get(279) is not None
    stranger = (subscription(0, "499999999999"),)
    request = gateway.credit(
        new_session(), INITIAL, 0, service(10, requested(total=MIB)), subscriptions=stranger
    )
    assert gateway.ask(request).result == 5030


def test_update_without_subscription_id_is_charged_to_its_session(ocs, gateway, subscribe):
    subscriber, session = subscribe(), new_session()
    initial = gateway.credit(session, INITIAL, 0, service(10, requested()), subscriptions=both(subscriber))
    assert gateway.ask(initial).result == 2001
    assert (
        gateway.ask(gateway.credit(session, UPDATE, 1, service(10, requested(), used(total=MIB)))).result
        == 2001
    )
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(MIB)


def test_event_with_an_empty_session_id_is_charged_once_however_often_it_is_sent(ocs, gateway, subscribe):
    subscriber = subscribe()
    event = gateway.credit(
        "", EVENT, 0, unsigned32(436, 0), service(None, requested(events=1)), message_to("4915112345678"),
        context=SMS, subscriptions=both(subscriber),
    )  # fmt: skip
    first, again = gateway.ask(event), gateway.ask(retransmitted(event))
    assert (first.result, again.result) == (2001, 2001)
    assert [event.amount_micro for event in ocs.debits(subscriber.account)] == [-90_000]


# --- Units ---------------------------------------------------------------------------------------------------


def test_multiple_services_credit_control_may_be_absent(ocs, gateway, subscribe):
    subscriber, session = subscribe(), new_session()
    initial = gateway.ask(
        gateway.credit(session, INITIAL, 0, requested(total=MIB), subscriptions=both(subscriber))
    )
    assert initial.result == 2001
    assert initial.services() == []
    assert [unit.value for unit in initial.one(431) if unit.code == 421] != []
    assert gateway.ask(gateway.credit(session, TERMINATION, 1, used(total=MIB))).result == 2001
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(MIB)


@pytest.mark.parametrize(
    "parts",
    [(), (requested(),), (requested(total=MIB),), (requested(total=MIB, input=MIB, output=MIB),)],
    ids=["absent", "empty", "total", "total, input and output"],
)
def test_requested_units_of_every_form_are_granted_octets(gateway, subscribe, parts):
    subscriber = subscribe()
    answer = gateway.ask(
        gateway.credit(new_session(), INITIAL, 0, service(10, *parts), subscriptions=both(subscriber))
    )
    assert answer.result == 2001
    assert answer.granted() > 0


def test_money_is_granted_where_money_is_asked_for(ocs, gateway, subscribe):
    subscriber = subscribe()
    money = avp(
        437,
        avp(
            413,
            avp(445, avp(447, struct.pack(">q", 125)) + avp(429, struct.pack(">i", -2)))
            + unsigned32(425, 978),
        ),
    )
    answer = gateway.ask(
        gateway.credit(new_session(), INITIAL, 0, service(10, money), subscriptions=both(subscriber))
    )
    assert answer.result == 2001
    assert ocs.reserved(subscriber.account) == 1_250_000


def test_five_rating_groups_in_one_request_are_answered_each_in_order(ocs, gateway, subscribe):
    subscriber = subscribe()
    groups = (1, 2, 3, 9, 10)
    parts = [service(group, requested(total=100_000)) for group in groups]
    answer = gateway.ask(gateway.credit(new_session(), INITIAL, 0, *parts, subscriptions=both(subscriber)))
    assert [(one[432], one[268]) for one in answer.services()] == [(group, 2001) for group in groups]
    assert answer.result == 2001


def test_use_above_the_grant_is_debited_in_full(ocs, gateway, subscribe):
    subscriber, session = subscribe(), new_session("scscf")
    call = {"context": VOICE, "subscriptions": both(subscriber)}
    initial = gateway.ask(
        gateway.credit(
            session, INITIAL, 0, service(1, requested(seconds=12)), call_to("tel:+33123456789"), **call
        )
    )
    over = initial.granted(code=420) + 1
    request = gateway.credit(
        session, TERMINATION, 1, service(1, used(seconds=over)), call_to("tel:+33123456789"), **call
    )
    assert gateway.ask(request).result == 2001
    assert 5 * EURO - ocs.balance(subscriber.account) == europe_call_micro(over)


@pytest.mark.parametrize("inside", [True, False], ids=["inside Used-Service-Unit", "in the service"])
def test_reporting_reason_is_read_where_it_stands(ocs, gateway, subscribe, inside):
    subscriber, session = subscribe(), new_session()
    gateway.ask(gateway.credit(session, INITIAL, 0, service(10, requested()), subscriptions=both(subscriber)))
    reason = unsigned32(872, 3, vendor=VENDOR_3GPP)
    octets = avp(421, struct.pack(">Q", MIB))
    report = avp(446, octets + reason) if inside else avp(446, octets) + reason
    assert gateway.ask(gateway.credit(session, UPDATE, 1, service(10, requested(), report))).result == 2001
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(MIB)


def test_several_used_units_in_one_service_are_summed(ocs, gateway, subscribe):
    subscriber, session = subscribe(), new_session()
    gateway.ask(gateway.credit(session, INITIAL, 0, service(10, requested()), subscriptions=both(subscriber)))
    before = avp(446, unsigned32(452, 0) + avp(421, struct.pack(">Q", MIB)))
    after = avp(446, unsigned32(452, 1) + avp(421, struct.pack(">Q", MIB)))
    assert (
        gateway.ask(gateway.credit(session, UPDATE, 1, service(10, requested(), before, after))).result
        == 2001
    )
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(2 * MIB)


# --- Form ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", ["8.32251@3gpp.org", "data.01.230.10.32251@3gpp.org", DATA])
def test_service_context_id_is_known_by_the_specification_in_it(gateway, subscribe, context):
    request = gateway.credit(
        new_session(), INITIAL, 0, service(10, requested()), context=context, subscriptions=both(subscribe())
    )
    assert gateway.ask(request).result == 2001


def test_avps_may_stand_in_any_order_and_before_session_id(gateway, subscribe):
    subscriber = subscribe()
    request = gateway.credit(
        new_session(), INITIAL, 0, service(10, requested()), subscriptions=both(subscriber)
    )
    parts, rest = [], request[20:]
    while rest:
        length = int.from_bytes(rest[5:8]) + 3 & ~3
        parts.append(rest[:length])
        rest = rest[length:]
    answer = gateway.ask(request[:20] + b"".join(reversed(parts)))
    assert answer.result == 2001
    assert int.from_bytes(answer.frame[20:24]) == 263


def test_M_bit_missing_or_P_bit_set_changes_nothing(gateway, subscribe):
    subscriber = subscribe()
    request = bytearray(gateway.credit(new_session(), INITIAL, 0, subscriptions=both(subscriber)))
    start = 20
    while start < len(request):
        request[start + 4] ^= 0x60
        start += int.from_bytes(request[start + 5 : start + 8]) + 3 & ~3
    # In a Grouped AVP too, whose inner AVPs keep their flags here.
    assert gateway.ask(bytes(request)).result == 2001


@pytest.mark.parametrize("vendor", [666, 1368, 81000])
def test_unknown_mandatory_avp_of_a_vendor_is_tolerated_in_service_information_alone(
    gateway, subscribe, vendor
):
    subscriber = subscribe()
    strange = avp(22_831, b"T", vendor=vendor)
    services = service(10, requested())
    inside = group_3gpp(873, group_3gpp(874, strange))
    request = gateway.credit(new_session(), INITIAL, 0, services, inside, subscriptions=both(subscriber))
    assert gateway.ask(request).result == 2001
    outside = gateway.credit(new_session(), INITIAL, 0, services, strange, subscriptions=both(subscriber))
    answer = gateway.ask(outside)
    assert answer.result == 5001
    assert strange in answer.frame


def test_3gpp_avps_at_top_level_are_read_as_in_service_information(gateway, subscribe):
    old_ggsn = (
        unsigned32(3, 0, vendor=VENDOR_3GPP),
        text(18, "26201", vendor=VENDOR_3GPP),
        text(30, "internet"),
    )
    request = gateway.credit(
        new_session(), INITIAL, 0, *old_ggsn, service(10, requested()), subscriptions=both(subscribe())
    )
    assert gateway.ask(request).result == 2001


def test_auth_application_id_1_is_let_pass(gateway, subscribe):
    request = gateway.credit(
        new_session(), INITIAL, 0, service(10, requested()), subscriptions=both(subscribe())
    )
    assert gateway.ask(request.replace(unsigned32(258, 4), unsigned32(258, 1))).result == 2001


def test_what_charging_does_not_need_may_be_malformed(gateway, subscribe):
    junk = (avp(458, b"\0\0"), avp(55, b"\1\2\3"))
    request = gateway.credit(
        new_session(), INITIAL, 0, *junk, service(10, requested()), subscriptions=both(subscribe())
    )
    assert gateway.ask(request, judged=False).result == 2001


# --- Through agents ------------------------------------------------------------------------------------------


def test_proxy_info_comes_back_in_order_and_end_to_end_unchanged(gateway, subscribe):
    proxies = [
        avp(284, text(280, name) + avp(33, state))
        for name, state in (("p1.example", b"one"), ("p2.example", b"2"))
    ]
    record = text(282, "relay.example")
    request = gateway.credit(
        new_session(), INITIAL, 0, service(10, requested()), record, *proxies,
        subscriptions=both(subscribe()), identifiers=(17, 0xFEEDBEEF),
    )  # fmt: skip
    answer = gateway.ask(request)
    assert answer.result == 2001
    assert b"".join(proxies) in answer.frame
    assert answer.end_to_end == 0xFEEDBEEF


def test_repeat_from_another_connection_with_T_gets_the_first_answer_and_is_debited_once(
    ocs, connect, gateway, subscribe
):
    subscriber, session = subscribe(), new_session()
    gateway.ask(gateway.credit(session, INITIAL, 0, service(10, requested()), subscriptions=both(subscriber)))
    update = gateway.credit(session, UPDATE, 1, service(10, requested(), used(total=MIB)))
    first = gateway.ask(update)
    again = connect("relay.example").ask(retransmitted(update))
    assert again.frame[20:] == first.frame[20:]
    assert len(ocs.debits(subscriber.account)) == 1
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(MIB)


# --- Sessions that are not there -----------------------------------------------------------------------------


def test_termination_with_nothing_used_and_right_after_a_refusal_is_answered(ocs, gateway, subscribe):
    subscriber, session = subscribe(), new_session()
    gateway.ask(gateway.credit(session, INITIAL, 0, service(10, requested()), subscriptions=both(subscriber)))
    assert gateway.ask(gateway.credit(session, TERMINATION, 1)).result == 2001
    assert ocs.debits(subscriber.account) == []
    assert ocs.reserved(subscriber.account) == 0


def test_termination_of_a_session_never_opened_is_answered(gateway, subscribe):
    answer = gateway.ask(gateway.credit(new_session(), TERMINATION, 1, subscriptions=both(subscribe())))
    assert answer.result == 5002


def test_update_of_a_session_that_another_node_opened_is_answered(gateway, subscribe):
    update = gateway.credit(
        new_session(), UPDATE, 3, service(10, requested(), used(total=MIB)), subscriptions=both(subscribe())
    )
    assert gateway.ask(update).result in {2001, 5002}


def test_capabilities_are_answered_with_all_that_every_stack_needs(connect):
    answer = (gateway := connect(opened=False)).ask(gateway.capabilities())
    assert answer.result == 2001
    assert answer.one(264) == b"ocs.lab.example"
    assert answer.one(258) == 4
    assert (answer.one(260, 266), answer.one(260, 258)) == (10415, 4)
    assert answer.all(265) == [10415]
    assert answer.all(299) in ([], [0])
    assert answer.get(278) is not None


@pytest.mark.parametrize(
    "parts",
    [
        (unsigned32(258, 4), unsigned32(258, 16777238)),
        (unsigned32(258, 0xFFFFFFFF),),
        (avp(260, unsigned32(266, VENDOR_3GPP) + unsigned32(258, 4)),),
        (unsigned32(258, 4), unsigned32(299, 1), unsigned32(299, 0)),
    ],
    ids=["with Gx", "relay", "vendor-specific", "both kinds of security"],
)
def test_capabilities_of_every_kind_seen_are_accepted(connect, parts):
    gateway = connect(opened=False)
    assert gateway.ask(gateway.capabilities(*parts)).result == 2001
