"""The lives of accounts by their dates, audited: an account moves on when its date has come, and comes back by a top-up."""

from collections import Counter

from ocs.balance.model import Account, LifecycleState
from ocs.events import ChargeEvent, EventKind
from tests.support.books import check

TOP_UP_DAYS, ONE_WAY_BARRED_DAYS = 2, 1
_DAY_MS = 86_400_000
# Who moves a date looks at the clock some calls before his commit.
_SLACK_MS = 15_000


class Lives:
    """The accounts of one line of commits that have dates."""

    def __init__(self, tally: Counter[str]) -> None:
        self._tally = tally
        self._accounts: dict[str, Account] = {}

    def committed(self, accounts: list[Account], events: list[ChargeEvent], at_ms: int) -> None:
        """Accounts were written; those without dates never move."""
        topped_up = {event.account_id for event in events if event.kind is EventKind.TOP_UP}
        for account in accounts:
            before = self._accounts.get(account.account_id, account)
            self._accounts[account.account_id] = account
            if before.state is not account.state:
                self._check_step(before, account, at_ms, is_topped_up=account.account_id in topped_up)
                self._tally[f"becomes {account.state.name}"] += 1
            if before.active_until_ms and account.account_id in topped_up:
                until_ms = at_ms + TOP_UP_DAYS * _DAY_MS - _SLACK_MS
                check(account.active_until_ms >= until_ms, "not prolonged by its top-up:", account, at_ms)
            check(account.active_until_ms >= before.active_until_ms, "a life cut short:", before, account)

    def due_ms(self, account: Account) -> int:
        """When an account moves on; 0 for never."""
        if not account.active_until_ms:
            return 0
        if account.state is LifecycleState.ACTIVE:
            return account.active_until_ms
        return account.since_ms + _DAY_MS if account.state is LifecycleState.ONE_WAY_BARRED else 0

    def _check_step(self, before: Account, after: Account, at_ms: int, *, is_topped_up: bool) -> None:
        if after.state is LifecycleState.CLOSED:
            return  # by hand, and never again
        if after.state is LifecycleState.ACTIVE:
            check(is_topped_up, "came back by itself:", before, after)
            return
        reached: list[LifecycleState] = []
        state, due_ms = before.state, self.due_ms(before)
        while due_ms and due_ms <= at_ms + _SLACK_MS:
            one_way = state is LifecycleState.ACTIVE
            state = LifecycleState.ONE_WAY_BARRED if one_way else LifecycleState.EXPIRED
            reached.append(state)
            due_ms = due_ms + ONE_WAY_BARRED_DAYS * _DAY_MS if one_way else 0
        check(after.state in reached, "moved before its date:", before, after, at_ms)
