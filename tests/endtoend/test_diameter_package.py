"""The `diameter` package's own node as gateway: every kind of request, answers as that package reads them."""

import datetime as dt
import itertools
import json
import logging

import pytest
from diameter.message.avp.grouped import (
    CcMoney,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    UnitValue,
    UsedServiceUnit,
)
from diameter.node import Node
from diameter.node.application import SimpleThreadingApplication

from ocs.messages import CCRequestType, RequestedAction, Service
from simulators.gateway.codec import encode_request
from simulators.gateway.model import CreditRequest, ServiceReport, Subscriber, Units
from tests.endtoend.lab import (
    EURO,
    browsing_micro,
    cost_micro,
    europe_call_micro,
    messaging_micro,
    video_micro,
)

MIB = 1 << 20
PARIS = "33123456789"
MOBILE = "4917012345678"
_sessions = itertools.count(1)


@pytest.fixture(scope="module")
def package(ocs):
    """An open connection of the package's node; gives a function that sends a request and waits for its answer."""
    logging.getLogger("diameter").setLevel(logging.CRITICAL)
    node = Node("node.example", "example")
    node.wakeup_interval = 1
    host, port = ocs.address
    peer = node.add_peer(
        f"aaa://ocs.lab.example:{port};transport=tcp", "lab.example", ip_addresses=[host], is_persistent=True
    )
    application = SimpleThreadingApplication(4, is_auth_application=True, request_handler=lambda *_: None)
    node.add_application(application, [peer])
    node.start()
    application.wait_for_ready(30)
    yield lambda message: application.send_request(message, 30)
    node.stop(10)


class Ladder:
    """One session of a subscriber, its requests numbered as they are sent."""

    def __init__(self, package, subscriber, service, called_party=""):
        self._package = package
        self._subscriber = Subscriber(subscriber.msisdn, subscriber.imsi)
        self._service, self._called_party = service, called_party
        self.session_id = f"node.example;1;{next(_sessions)}"
        self._number = itertools.count()

    def request(self, request_type, *reports, action=None, plain=False):
        request = CreditRequest(
            self._subscriber, self.session_id, request_type, next(self._number), self._service, reports,
            multiple_services=not plain, requested_action=action, called_party=self._called_party,
        )  # fmt: skip
        return encode_request(
            request, origin_host="node.example", origin_realm="example", destination_realm="lab.example"
        )

    def ask(self, request_type, *reports, **options):
        request = self.request(request_type, *reports, **options)
        answer = self._package(request)
        assert answer.session_id == self.session_id
        assert (answer.cc_request_type, answer.cc_request_number) == (
            request.cc_request_type,
            request.cc_request_number,
        )
        assert (answer.origin_host, answer.origin_realm) == (b"ocs.lab.example", b"lab.example")
        assert answer.auth_application_id == 4
        return answer


def asking(rating_group, octets=None):
    return ServiceReport(rating_group, requested=Units(total_octets=octets))


def reporting(rating_group, octets, *, more=True):
    return ServiceReport(
        rating_group,
        requested=Units() if more else None,
        used=Units(total_octets=octets, input_octets=0, output_octets=octets),
    )


def test_data_session_with_three_rating_groups_is_charged_for_each(ocs, package, subscribe):
    subscriber = subscribe()
    session = Ladder(package, subscriber, Service.DATA)
    initial = session.ask(CCRequestType.INITIAL, asking(1, MIB), asking(2), asking(9))
    assert initial.result_code == 2001
    services = {service.rating_group: service for service in initial.multiple_services_credit_control}
    assert list(services) == [1, 2, 9]
    assert [service.result_code for service in services.values()] == [2001, 2001, 2001]
    assert services[1].granted_service_unit.cc_total_octets >= MIB
    assert services[2].granted_service_unit.cc_total_octets == 50 * MIB
    assert services[9].granted_service_unit.cc_total_octets == 1 << 30
    assert 0 < services[1].validity_time <= 3600  # shorter when a price changes before
    assert services[2].volume_quota_threshold == 5 * MIB
    assert initial.cc_session_failover == 1
    assert initial.credit_control_failure_handling == 0
    assert ocs.reserved(subscriber.account) > 0
    update = session.ask(
        CCRequestType.UPDATE, reporting(1, 700_001), reporting(2, 5 * MIB + 1), reporting(9, 123)
    )
    assert update.result_code == 2001
    paid = browsing_micro(700_001) + video_micro(5 * MIB + 1)
    assert 5 * EURO - ocs.balance(subscriber.account) == paid
    fresh = session.ask(CCRequestType.UPDATE, asking(3))
    assert [service.rating_group for service in fresh.multiple_services_credit_control] == [3]
    last = [reporting(1, 1, more=False), reporting(2, 0, more=False), reporting(3, 2_000, more=False)]
    assert session.ask(CCRequestType.TERMINATION, *last).result_code == 2001
    paid = browsing_micro(700_002) + video_micro(5 * MIB + 1) + messaging_micro(2_000)
    shown = json.loads(ocs.command("account", "show", subscriber.account, "--json"))
    assert (shown["balance_micro"], shown["reserved_micro"]) == (5 * EURO - paid, 0)


def test_live_session_is_listed_and_shown_until_it_ends(ocs, package, subscribe):
    subscriber = subscribe()
    session = Ladder(package, subscriber, Service.DATA)
    session.ask(CCRequestType.INITIAL, asking(10, MIB))
    listed = json.loads(ocs.command("session", "list", "--json", "--limit", "100000"))
    assert session.session_id in {one["session_id"] for one in listed}
    shown = json.loads(ocs.command("session", "show", session.session_id))
    assert (shown["account_id"], shown["state"]) == (subscriber.account, "open")
    session.ask(CCRequestType.TERMINATION)
    assert ocs.session(session.session_id).state.name == "CLOSED"


def test_session_without_multiple_services_is_charged_at_top_level(ocs, package, subscribe):
    subscriber = subscribe()
    session = Ladder(package, subscriber, Service.DATA)
    initial = session.ask(CCRequestType.INITIAL, asking(None, MIB), plain=True)
    assert initial.result_code == 2001
    assert initial.granted_service_unit.cc_total_octets >= MIB
    assert (
        session.ask(CCRequestType.TERMINATION, reporting(None, MIB, more=False), plain=True).result_code
        == 2001
    )
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(MIB)


def test_call_abroad_is_charged_by_its_seconds(ocs, package, subscribe):
    subscriber = subscribe()
    call = Ladder(package, subscriber, Service.VOICE, PARIS)
    initial = call.ask(CCRequestType.INITIAL, ServiceReport(1, requested=Units(time_s=60)))
    (service,) = initial.multiple_services_credit_control
    assert (service.result_code, service.time_quota_threshold) == (2001, 10)
    assert 0 < service.validity_time <= 900
    assert service.granted_service_unit.cc_time >= 60
    update = call.ask(
        CCRequestType.UPDATE, ServiceReport(1, requested=Units(time_s=60), used=Units(time_s=50))
    )
    assert update.result_code == 2001
    assert 5 * EURO - ocs.balance(subscriber.account) == europe_call_micro(50)
    assert call.ask(CCRequestType.TERMINATION, ServiceReport(1, used=Units(time_s=13))).result_code == 2001
    assert 5 * EURO - ocs.balance(subscriber.account) == europe_call_micro(63)


def test_calls_to_the_world_pay_a_connection_fee_once(ocs, package, subscribe):
    subscriber = subscribe()
    call = Ladder(package, subscriber, Service.VOICE, "81312345678")
    call.ask(CCRequestType.INITIAL, ServiceReport(1, requested=Units(time_s=30)))
    call.ask(CCRequestType.UPDATE, ServiceReport(1, requested=Units(time_s=30), used=Units(time_s=30)))
    call.ask(CCRequestType.TERMINATION, ServiceReport(1, used=Units(time_s=31)))
    price = cost_micro(61, price_micro=990_000, per=60, first=60, step=60)
    assert 5 * EURO - ocs.balance(subscriber.account) == 150_000 + price


def one_message(count=1):
    return ServiceReport(requested=Units(service_specific_units=count))


def test_short_message_is_debited_directly(ocs, package, subscribe):
    subscriber = subscribe()
    answer = Ladder(package, subscriber, Service.SMS, MOBILE).ask(
        CCRequestType.EVENT, one_message(), action=RequestedAction.DIRECT_DEBITING, plain=True
    )
    assert answer.result_code == 2001
    assert answer.granted_service_unit.cc_service_specific_units == 1
    assert 5 * EURO - ocs.balance(subscriber.account) == 90_000


def test_short_message_that_was_not_delivered_is_refunded(ocs, package, subscribe):
    subscriber = subscribe()
    for action in (RequestedAction.DIRECT_DEBITING, RequestedAction.REFUND_ACCOUNT):
        message = Ladder(package, subscriber, Service.SMS, PARIS)
        assert message.ask(CCRequestType.EVENT, one_message(), action=action, plain=True).result_code == 2001
    assert ocs.balance(subscriber.account) == 5 * EURO
    assert [event.amount_micro for event in ocs.debits(subscriber.account)] == [-190_000, 190_000]


@pytest.mark.parametrize(("messages", "result"), [(55, 0), (56, 1)], ids=["enough", "not enough"])
def test_balance_check_says_whether_the_balance_covers_it_and_moves_nothing(
    ocs, package, subscribe, messages, result
):
    subscriber = subscribe()
    answer = Ladder(package, subscriber, Service.SMS, MOBILE).ask(
        CCRequestType.EVENT, one_message(messages), action=RequestedAction.CHECK_BALANCE, plain=True
    )
    assert (answer.result_code, answer.check_balance_result) == (2001, result)
    assert ocs.debits(subscriber.account) == []
    assert ocs.reserved(subscriber.account) == 0


def test_price_enquiry_names_the_price_and_moves_nothing(ocs, package, subscribe):
    subscriber = subscribe()
    answer = Ladder(package, subscriber, Service.SMS, PARIS).ask(
        CCRequestType.EVENT, one_message(3), action=RequestedAction.PRICE_ENQUIRY, plain=True
    )
    assert answer.result_code == 2001
    cost = answer.cost_information
    assert cost.currency_code == 978
    assert cost.unit_value.value_digits * 10 ** (cost.unit_value.exponent + 6) == 570_000
    assert ocs.debits(subscriber.account) == []


def test_direct_debiting_of_money_takes_that_amount(ocs, package, subscribe):
    subscriber = subscribe()
    event = Ladder(package, subscriber, Service.DATA).request(
        CCRequestType.EVENT, action=RequestedAction.DIRECT_DEBITING
    )
    money = CcMoney(unit_value=UnitValue(value_digits=125, exponent=-2), currency_code=978)
    event.multiple_services_credit_control = [
        MultipleServicesCreditControl(requested_service_unit=RequestedServiceUnit(cc_money=money))
    ]
    assert package(event).result_code == 2001
    assert 5 * EURO - ocs.balance(subscriber.account) == 1_250_000


def test_event_of_too_little_balance_is_refused_whole(ocs, package, subscribe):
    subscriber = subscribe(balance=80_000)
    answer = Ladder(package, subscriber, Service.SMS, MOBILE).ask(
        CCRequestType.EVENT, one_message(), action=RequestedAction.DIRECT_DEBITING, plain=True
    )
    assert answer.result_code == 4012
    assert ocs.balance(subscriber.account) == 80_000


def test_last_grant_comes_with_final_unit_and_then_the_credit_limit_is_reached(ocs, package, subscribe):
    subscriber = subscribe(balance=20_000)  # two mebibytes of browsing at most
    session = Ladder(package, subscriber, Service.DATA)
    (service,) = session.ask(CCRequestType.INITIAL, asking(10, 10 * MIB)).multiple_services_credit_control
    used = granted = service.granted_service_unit.cc_total_octets
    while (
        service.final_unit_indication is None
    ):  # smaller and smaller: half of what is left for other sessions
        answer = session.ask(CCRequestType.UPDATE, reporting(10, granted))
        (service,) = answer.multiple_services_credit_control
        granted = service.granted_service_unit.cc_total_octets
        used += granted
    assert service.final_unit_indication.final_unit_action == 0
    assert browsing_micro(used) <= 20_000 < browsing_micro(used + 10_240)
    answer = session.ask(CCRequestType.UPDATE, reporting(10, granted))
    assert answer.result_code == 4012 or answer.multiple_services_credit_control[0].result_code == 4012
    assert ocs.balance(subscriber.account) == 20_000 - browsing_micro(used)
    session.ask(CCRequestType.TERMINATION)
    assert ocs.reserved(subscriber.account) == 0


def drained(session, *, by_day, by_night):
    """Report nearly all that an offer includes; gives the service's answer with the last grant in it."""
    session.ask(CCRequestType.INITIAL, asking(10, MIB))
    answer = session.ask(CCRequestType.UPDATE, reporting(10, by_day - MIB))
    if answer.multiple_services_credit_control[0].final_unit_indication is None:  # between midnight and six
        answer = session.ask(CCRequestType.UPDATE, reporting(10, by_night))
    (service,) = answer.multiple_services_credit_control
    assert 0 < service.granted_service_unit.cc_total_octets <= MIB
    return service


def test_final_unit_redirects_where_the_offer_says_so(package, subscribe):
    subscriber = subscribe(offers=("prepaid-data-5g",), balance=0)
    session = Ladder(package, subscriber, Service.DATA)
    final = drained(session, by_day=20 * 10**9, by_night=10 * 10**9).final_unit_indication
    assert final.final_unit_action == 1
    assert final.redirect_server.redirect_address_type == 2
    assert final.redirect_server.redirect_server_address == "https://topup.lab.example/"


def test_final_unit_restricts_access_where_the_offer_says_so(package, subscribe):
    subscriber = subscribe(offers=("family-postpaid",), balance=0)
    session = Ladder(package, subscriber, Service.DATA)
    final = drained(session, by_day=50 * 10**9, by_night=0).final_unit_indication
    assert final.final_unit_action == 2
    assert final.restriction_filter_rule == [
        b"permit out ip from 192.0.2.10 to any",
        b"permit in ip from any to 192.0.2.10",
    ]


def test_top_up_reaches_a_live_session_with_its_next_request(ocs, package, subscribe):
    subscriber = subscribe(balance=10_000)
    session = Ladder(package, subscriber, Service.DATA)
    (first,) = session.ask(CCRequestType.INITIAL, asking(10, 10 * MIB)).multiple_services_credit_control
    assert first.final_unit_indication is not None
    ocs.command("topup", subscriber.account, "5.00", "--reference", "counter-1")
    ocs.command("topup", subscriber.account, "5.00", "--reference", "counter-1")
    assert ocs.balance(subscriber.account) == 10_000 + 5 * EURO
    (more,) = session.ask(CCRequestType.UPDATE, reporting(10, MIB // 2)).multiple_services_credit_control
    assert more.final_unit_indication is None
    assert more.granted_service_unit.cc_total_octets == 10 * MIB


def test_free_service_needs_no_more_credit_control(ocs, package, subscribe):
    subscriber = subscribe()
    answer = Ladder(package, subscriber, Service.DATA).ask(CCRequestType.INITIAL, asking(8), asking(10, MIB))
    assert answer.result_code == 2001
    assert [s.result_code for s in answer.multiple_services_credit_control] == [4011, 2001]


def test_service_without_a_price_is_refused_alone(package, subscribe):
    subscriber = subscribe(offers=("talk-and-text",))
    answer = Ladder(package, subscriber, Service.DATA).ask(CCRequestType.INITIAL, asking(10, MIB))
    assert answer.result_code == 5031 or answer.multiple_services_credit_control[0].result_code == 5031


def test_unknown_subscriber_is_told_so(package):
    class Nobody:
        msisdn, imsi = "499999999998", ""

    assert (
        Ladder(package, Nobody, Service.DATA).ask(CCRequestType.INITIAL, asking(10, MIB)).result_code == 5030
    )


def test_use_on_both_sides_of_a_tariff_change_is_summed(ocs, package, subscribe):
    subscriber = subscribe()
    session = Ladder(package, subscriber, Service.DATA)
    session.ask(CCRequestType.INITIAL, asking(10, MIB))
    request = session.request(CCRequestType.UPDATE)
    request.event_timestamp = dt.datetime.now(dt.UTC)
    units = [UsedServiceUnit(tariff_change_usage=when, cc_total_octets=MIB) for when in (0, 1)]
    request.multiple_services_credit_control = [
        MultipleServicesCreditControl(
            rating_group=10, used_service_unit=units, requested_service_unit=RequestedServiceUnit()
        )
    ]
    assert package(request).result_code == 2001
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(2 * MIB)
