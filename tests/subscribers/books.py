"""Looks at an account's books as an auditor would."""

from itertools import pairwise
from typing import Any

from ocs.balance.client import BalanceClient
from ocs.balance.keys import agenda_key
from ocs.balance.model import Account
from ocs.balance.purse import check_invariants, money_balance


def audited(client: BalanceClient, account_id: str) -> Account:
    """The account, after its totals and its events were found to tell one story."""
    account = client.account(account_id)
    assert account is not None
    check_invariants(account)
    events = list(client.events(account_id))
    assert [event.sequence for event in events] == list(range(1, account.sequence + 1))
    assert len({event.event_id for event in events}) == len(events)
    assert all(b.balance_after_micro == a.balance_after_micro + b.amount_micro for a, b in pairwise(events))
    assert events[-1].balance_after_micro == money_balance(account)
    return account


def balance(client: BalanceClient, account_id: str) -> int:
    """Money of an account whose books are right, in micro-units."""
    return money_balance(audited(client, account_id))


def agenda(client: BalanceClient) -> dict[str, int]:
    """Every line of the agenda with when it is due."""
    connection: Any = client.connection
    return {
        member.decode(): int(score)
        for partition in range(client.partitions)
        for member, score in connection.zrange(agenda_key(partition), 0, -1, withscores=True)
    }
