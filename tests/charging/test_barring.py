"""Who may use what in which state of life; emergency calls always pass; the first use activates."""

import pytest

from ocs.balance.lifecycle import LifecycleRules
from ocs.balance.model import LifecycleState
from ocs.charging.barring import PERMISSIONS, is_barred
from ocs.charging.decision import Policy
from ocs.messages import NO_CONTEXT, Outcome, RoleOfNode, Service, UsageContext
from tests.support.ledger import Ledger, account_with, money, only
from tests.support.requests import event, events, initial, mscc, octets, seconds, update
from tests.support.rich_catalogue import rich_catalogue

EUR = 1_000_000
STATES = tuple(LifecycleState)
ORIGINATING = UsageContext("491711", role_of_node=RoleOfNode.ORIGINATING)
TERMINATING = UsageContext("491711", role_of_node=RoleOfNode.TERMINATING)
FORWARDING = UsageContext("491711", role_of_node=RoleOfNode.FORWARDING)
EMERGENCY = UsageContext("112", role_of_node=RoleOfNode.ORIGINATING)


def rich(**more) -> Ledger:
    return Ledger(money(EUR), catalogue=rich_catalogue(), offers=("rich",), **more)


def test_every_state_has_its_row():
    assert set(PERMISSIONS) == set(STATES)


@pytest.mark.parametrize("whose", ["account_state", "subscriber_state"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("context", [ORIGINATING, TERMINATING, FORWARDING])
def test_calls_pass_or_are_denied_by_state_and_role(whose: str, state: LifecycleState, context: UsageContext):
    ledger = rich(**{whose: state})
    is_open = state in {LifecycleState.ACTIVE, LifecycleState.CREATED}
    is_reachable = state == LifecycleState.ONE_WAY_BARRED and context is TERMINATING
    answer = ledger.ask(
        initial(mscc(None, requested=seconds(60)), service=Service.VOICE, context=context)
    ).answer
    expected = Outcome.SUCCESS if is_open or is_reachable else Outcome.END_USER_SERVICE_DENIED
    assert answer.outcome == expected
    assert bool(ledger.reserved) == (expected == Outcome.SUCCESS)


def test_data_does_not_say_a_role_and_counts_as_originating():
    account = account_with(money(0), state=LifecycleState.ONE_WAY_BARRED)
    assert is_barred(account, None, NO_CONTEXT)


@pytest.mark.parametrize("state", STATES)
def test_emergency_calls_pass_in_every_state_without_money(state: LifecycleState):
    ledger = Ledger(money(0), catalogue=rich_catalogue(), offers=("rich",), account_state=state)
    request = initial(mscc(None, requested=seconds(60)), service=Service.VOICE, context=EMERGENCY)
    assert only(ledger.ask(request)).granted == seconds(60)
    again = update(1, mscc(None, requested=seconds(60), used=seconds(60)))
    assert only(ledger.ask(again)).granted == seconds(60)
    assert ledger.balance == 0


def test_emergency_call_beside_another_service_leaves_the_other_one_barred():
    ledger = rich(account_state=LifecycleState.SUSPENDED)
    request = initial(mscc(None, requested=seconds(60)), service=Service.VOICE, context=ORIGINATING)
    assert ledger.ask(request).answer.outcome == Outcome.END_USER_SERVICE_DENIED


def test_barring_in_mid_session_debits_the_report_and_ends_it():
    ledger = rich()
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    ledger.change_account(state=LifecycleState.SUSPENDED)
    answer = ledger.ask(update(1, mscc(1, requested=octets(1000), used=octets(400)))).answer
    assert answer.outcome == Outcome.END_USER_SERVICE_DENIED
    assert ledger.balance == EUR - 40_000 and not ledger.reserved


def test_messages_of_a_barred_subscriber_are_denied():
    ledger = rich(subscriber_state=LifecycleState.ONE_WAY_BARRED)
    assert (
        ledger.ask(event(mscc(None, requested=events(1)))).answer.outcome == Outcome.END_USER_SERVICE_DENIED
    )


@pytest.mark.parametrize("first", ["session", "event"])
def test_first_use_activates_a_created_account_and_subscriber(first: str):
    policy = Policy(lifecycle=LifecycleRules(active_days=10))
    ledger = rich(
        account_state=LifecycleState.CREATED, subscriber_state=LifecycleState.CREATED, policy=policy
    )
    request = initial(mscc(1)) if first == "session" else event(mscc(None, requested=events(1)))
    ledger.ask(request)
    assert ledger.account.state == LifecycleState.ACTIVE
    assert ledger.account.active_until_ms == (ledger.now_s + 10 * 86_400) * 1000
    assert ledger.subscriber is not None and ledger.subscriber.state == LifecycleState.ACTIVE


def test_refused_first_use_activates_nothing():
    ledger = Ledger(
        money(0), catalogue=rich_catalogue(), offers=("rich",), account_state=LifecycleState.CREATED
    )
    assert ledger.ask(initial(mscc(1))).answer.outcome == Outcome.CREDIT_LIMIT_REACHED
    assert ledger.account.state == LifecycleState.CREATED


def test_emergency_event_passes_every_bar():
    ledger = rich(account_state=LifecycleState.SUSPENDED)
    request = event(mscc(None, requested=seconds(60)), service=Service.VOICE, context=EMERGENCY)
    assert ledger.ask(request).answer.outcome == Outcome.SUCCESS
    assert ledger.balance == EUR
