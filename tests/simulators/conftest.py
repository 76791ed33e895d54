"""A small charging system on the ``diameter`` package's own node, and an operator's command for it."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from diameter.message.avp import Avp, grouped
from diameter.message.constants import (
    APP_DIAMETER_CREDIT_CONTROL_APPLICATION,
    AVP_TGPP_VOLUME_QUOTA_THRESHOLD,
)
from diameter.node import Node
from diameter.node.application import Application

from ocs.events import EventKind
from ocs.units import UnitType, parse_micro
from simulators.demo_cast import CAST
from simulators.operator import AccountView, ChargedEvent

GATEWAYS = ("gateway.sim.example", "gateway.lab.example")


class FakeOcs(Application):
    """Grants what each subscriber has left; answers repeats with the first answer.

    Attributes:
        change: called with request and answer before it leaves; may return something else to send, or None.
        charged: MSISDN, Session-Id, rating group and units of each report taken in.
        left: octets, seconds or events that each subscriber may still be granted; unlimited when missing.
    """

    def __init__(self) -> None:
        super().__init__(APP_DIAMETER_CREDIT_CONTROL_APPLICATION, is_auth_application=True)
        self.change: Callable[[Any, Any], Any] = lambda request, answer: answer
        self.left: dict[str, int] = {}
        self.requests: list[Any] = []
        self.charged: list[tuple[str, str, int, int]] = []
        self.answered: dict[tuple[str, int], Any] = {}
        self.lock = threading.Lock()
        self.port = 0

    def handle_request(self, message: Any) -> None:
        with self.lock:
            self.requests.append(message)
            key = (message.session_id, message.cc_request_number)
            first = self.answered.get(key)
            answer = self.change(message, first or self._decide(message))
            if answer is None:
                return
            self.answered.setdefault(key, answer)
            answer.header.hop_by_hop_identifier = message.header.hop_by_hop_identifier
            answer.header.end_to_end_identifier = message.header.end_to_end_identifier
            self.send_answer(answer)

    def _decide(self, message: Any) -> Any:
        answer = self.generate_answer(message, result_code=2001)
        answer.cc_request_type = message.cc_request_type
        answer.cc_request_number = message.cc_request_number
        msisdn = message.subscription_id[0].subscription_id_data
        for service in message.multiple_services_credit_control:
            self._charge(msisdn, message, service)
            answer.multiple_services_credit_control.append(self._service(msisdn, message, service))
        if not message.multiple_services_credit_control and message.requested_service_unit is not None:
            answer.granted_service_unit = grouped.GrantedServiceUnit(cc_service_specific_units=1)
        return answer

    def _charge(self, msisdn: str, message: Any, service: Any) -> None:
        for used in service.used_service_unit:
            units = used.cc_total_octets if used.cc_time is None else used.cc_time
            self.charged.append((msisdn, message.session_id, service.rating_group, units))

    def _service(self, msisdn: str, message: Any, service: Any) -> Any:
        result = grouped.MultipleServicesCreditControl(rating_group=service.rating_group, result_code=2001)
        if service.requested_service_unit is None:
            return result
        voice, event = "32260" in message.service_context_id, message.cc_request_type == 4
        wanted = 1 if event else 120 if voice else 10_485_760
        left = self.left.get(msisdn, 1 << 60)
        amount = min(wanted, left)
        self.left[msisdn] = left - amount
        if not amount:
            result.result_code = 4012
            return result
        if amount == left:
            result.final_unit_indication = grouped.FinalUnitIndication(final_unit_action=0)
        result.validity_time = 600
        name = "cc_service_specific_units" if event else "cc_time" if voice else "cc_total_octets"
        result.granted_service_unit = grouped.GrantedServiceUnit()
        setattr(result.granted_service_unit, name, amount)
        if name == "cc_total_octets":
            threshold = Avp.new(AVP_TGPP_VOLUME_QUOTA_THRESHOLD, 10415, value=1_048_576)
            result.additional_avps = [threshold]
        return result


@contextmanager
def fake_ocs() -> Generator[FakeOcs]:
    """A fake charging system on a free port of 127.0.0.1."""
    application = FakeOcs()
    nodes: list[Node] = []

    def start() -> None:
        node = Node("ocs.lab.example", "lab.example", ip_addresses=["127.0.0.1"], tcp_port=free_port())
        node.wakeup_interval = 1
        node.retransmit_queue_size = 0  # or the package itself refuses what comes with the T flag
        node.add_application(
            application, [node.add_peer(f"aaa://{name}", "lab.example") for name in GATEWAYS]
        )
        node.start()
        application.port = node.tcp_sockets[0].getsockname()[1]
        nodes.append(node)

    # Threads of the package inherit being daemons from the thread that makes them.
    starter = threading.Thread(target=start, daemon=True)
    starter.start()
    starter.join()
    node = nodes[0]
    try:
        yield application
    finally:
        deadline = time.monotonic() + 5
        while node.connections and time.monotonic() < deadline:
            time.sleep(0.02)
        threading.Thread(target=node.stop, kwargs={"force": True}, daemon=True).start()


def free_port() -> int:
    """The package takes 0 for "do not listen"; this port was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class FakeOperator:
    """An operator's command for the fake: a micro-unit for a hundred octets or seconds.

    Keeps money for accounts whose use the fake charging system takes in.

    Attributes:
        topped_up: account and amount of each top-up.
    """

    def __init__(self, ocs: Any) -> None:
        self.ocs = ocs
        self.opened: dict[str, str] = {}
        self.topped_up: list[tuple[str, str]] = []

    def create_account(self, account: str, *, offer: str, msisdn: str, imsi: str, balance: str) -> None:
        assert offer and imsi
        self.opened[account] = balance
        if account == "C1":
            self.ocs.left[msisdn] = 20_000_000

    def top_up(self, account: str, amount: str, *, reference: str) -> None:
        assert reference
        self.topped_up.append((account, amount))
        msisdn = next(one.subscriber.msisdn for one in CAST if one.account == account)
        with self.ocs.lock:
            self.ocs.left[msisdn] = self.ocs.left.get(msisdn, 0) + 500_000_000

    def account(self, account: str) -> AccountView:
        return AccountView(money_micro=sum(event.amount_micro for event in self.events(account)), reserved=0)

    live_account = account

    def events(self, account: str) -> list[ChargedEvent]:
        msisdn = next(one.subscriber.msisdn for one in CAST if one.account == account)
        moves = [(EventKind.OPENING, parse_micro(self.opened[account]), 0, "", 0)]
        moves += [
            (EventKind.TOP_UP, parse_micro(paid), 0, "", 0) for who, paid in self.topped_up if who == account
        ]
        with self.ocs.lock:
            moves += [
                (EventKind.DEBIT, -units // 100, units, session_id, group)
                for who, session_id, group, units in self.ocs.charged
                if who == msisdn
            ]
        balance, events = 0, list[ChargedEvent]()
        for sequence, (kind, amount, units, session_id, group) in enumerate(moves, 1):
            balance += amount
            unit_type = UnitType.TOTAL_OCTETS
            events.append(ChargedEvent(kind, amount, units, unit_type, session_id, group, sequence, balance))
        return events


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """What the package logs about connections that end is expected here."""
    logging.getLogger("diameter").setLevel(logging.CRITICAL)


@pytest.fixture(scope="module")
def _running_ocs() -> Generator[FakeOcs]:
    with fake_ocs() as application:
        yield application


@pytest.fixture
def ocs(_running_ocs: FakeOcs) -> FakeOcs:
    """A fake charging system without a past."""
    _running_ocs.change = lambda request, answer: answer
    _running_ocs.left.clear()
    _running_ocs.requests.clear()
    _running_ocs.charged.clear()
    _running_ocs.answered.clear()
    return _running_ocs


@pytest.fixture
def operator(ocs: FakeOcs) -> FakeOperator:
    """Its operator's command."""
    return FakeOperator(ocs)
