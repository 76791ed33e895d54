"""Accounts opened and topped up through the public client, on a real store; once is what ocs.subscribers.office means."""

import msgspec
import pytest
import redis

from ocs.balance.client import BalanceClient, Change, StoreBusyError
from ocs.balance.keys import account_key
from ocs.balance.store import ABSENT
from ocs.events import EventKind
from ocs.subscribers.operations import NewAccount, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.units import Money

ANNA = NewAccount("a", "anna", ("e164:49171",), ("packs", "basic"), Money(5_000_000, "EUR"))


def test_opened_account_is_found_by_its_identity(service: SubscriberService, client: BalanceClient):
    account = service.open_account(ANNA)
    assert client.account("a") == account
    assert client.locate("e164:49171") == ("a", "anna")
    subscriber = client.subscriber("a", "anna")
    assert subscriber is not None and subscriber.offers == ("packs", "basic")
    assert [e.kind for e in client.events("a")] == [EventKind.OPENING]
    assert client.scan_accounts()[1] == [account]


def test_account_is_opened_once(service: SubscriberService, client: BalanceClient):
    service.open_account(ANNA)
    with pytest.raises(OperationError, match="exists already"):
        service.open_account(ANNA)
    assert len(list(client.events("a"))) == 1


def test_identity_of_another_account_cannot_be_taken(service: SubscriberService, client: BalanceClient):
    service.open_account(ANNA)
    with pytest.raises(OperationError, match="belongs to another account"):
        service.open_account(NewAccount("b", "bert", ("e164:5", "e164:49171"), (), Money(0, "EUR")))
    assert client.account("b") is None
    assert client.locate("e164:5") is None and client.locate("e164:49171") == ("a", "anna")


def test_identity_that_a_crash_left_claimed_can_be_claimed_again(
    service: SubscriberService, client: BalanceClient
):
    client.claim_identities("crashed", "x", ("e164:49171",))
    service.open_account(ANNA)
    assert client.locate("e164:49171") == ("a", "anna")


def test_top_up_is_done_once_per_reference(service: SubscriberService, client: BalanceClient):
    service.open_account(ANNA)
    first = service.top_up("a", Money(1_000_000, "EUR"), reference="r")
    assert service.top_up("a", Money(1_000_000, "EUR"), reference="r") == msgspec.structs.replace(
        first, repeated=True
    )
    assert first.balance_micro == 6_000_000
    assert [e.amount_micro for e in client.events("a")] == [5_000_000, 1_000_000]


def test_reference_used_for_another_amount_is_refused(service: SubscriberService):
    service.open_account(ANNA)
    service.top_up("a", Money(1_000_000, "EUR"), reference="r")
    with pytest.raises(OperationError, match="was used for"):
        service.top_up("a", Money(2_000_000, "EUR"), reference="r")


def test_account_that_is_not_there_cannot_be_topped_up(service: SubscriberService):
    with pytest.raises(OperationError, match="there is no account"):
        service.top_up("nobody", Money(1, "EUR"), reference="r")


def test_many_accounts_are_opened_in_batches_and_existing_ones_named(
    service: SubscriberService, client: BalanceClient
):
    service.open_account(ANNA)
    new = [NewAccount(f"n{i}", f"s{i}", (f"e164:49{i}",), ("basic",), Money(i, "EUR")) for i in range(1200)]
    assert list(service.open_accounts([*new[:700], ANNA, *new[700:]])) == ["a"]
    accounts, cursor = [], 0
    while True:
        cursor, page = client.scan_accounts(cursor)
        accounts += page
        if not cursor:
            break
    assert len({a.account_id for a in accounts}) == 1201
    assert client.locate("e164:49999") == ("n999", "s999")


# --- The client underneath --------------------------------------------------------------------------------


def test_change_is_decided_again_when_somebody_was_faster(service: SubscriberService, client: BalanceClient):
    service.open_account(ANNA)
    key = account_key(client.partition_of("a"), "a")
    seen: list[bytes] = []

    def decide(values):
        seen.append(values[0].token)
        if len(seen) == 1:
            service.top_up("a", Money(1, "EUR"), reference="meanwhile")
        account = client.account("a")
        assert account is not None
        return Change({key: account})

    client.change("a", (key,), decide)
    assert len(seen) == 2 and seen[0] != seen[1]


def test_change_that_is_raced_for_ever_gives_up(client: BalanceClient, service: SubscriberService):
    account = service.open_account(ANNA)
    key = account_key(client.partition_of("a"), "a")

    def decide(_):
        client.change("a", (key,), lambda _: Change({key: account}))
        return Change({key: account})

    with pytest.raises(StoreBusyError, match="changed under us"):
        client.change("a", (key,), decide)


def test_commit_that_the_connection_sent_twice_is_done_once(
    client: BalanceClient, service: SubscriberService, monkeypatch: pytest.MonkeyPatch
):
    send = client._store.send

    def twice(key, commands):
        send(key, commands)
        return send(key, commands)

    monkeypatch.setattr(client._store, "send", twice)
    service.open_account(ANNA)  # not "exists already": it is ours
    receipt = service.top_up("a", Money(7, "EUR"), reference="r")
    assert receipt.balance_micro == 5_000_007
    assert [e.sequence for e in client.events("a")] == [1, 2]


def test_store_that_does_not_answer_is_an_unknown_outcome(
    client: BalanceClient, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_):
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(client._redis, "mget", lambda names: [None] * len(names))
    monkeypatch.setattr(client._store, "send", broken)
    with pytest.raises(StoreBusyError, match="gone"):
        key = account_key(client.partition_of("a"), "a")
        client.change("a", (key,), lambda values: Change({}) if values[0].token == ABSENT else None)
