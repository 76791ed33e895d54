"""The life of an account by its dates: created, active, one-way barred, expired, recycled. Pure.

    state            leaves it by                                         towards
    CREATED          the first use or top-up                              ACTIVE
    ACTIVE           ``active_until_ms``                                  ONE_WAY_BARRED
    ONE_WAY_BARRED   ``one_way_barred_days`` later; a top-up              EXPIRED; ACTIVE
    EXPIRED          ``expired_days`` later; a top-up                     RECYCLED; ACTIVE
    RECYCLED         never: its numbers have been given back

A rule of 0 days never moves an account. What an operator barred by hand stays so until it is lifted by hand.
"""

from typing import Final

import msgspec

from ocs.balance.model import Account, LifecycleState
from ocs.settings import AccountsSettings

DAY_MS: Final = 86_400_000
_replace = msgspec.structs.replace


class LifecycleRules(msgspec.Struct, frozen=True):
    """How long an account stays in which state (``[accounts]`` of the settings); days of 24 hours, 0 is for ever.

    Attributes:
        starts_created: a new account waits for its first use or top-up.
        active_days: from there. top_up_days: at least so long from every top-up.
    """

    starts_created: bool = False
    active_days: int = 0
    top_up_days: int = 0
    one_way_barred_days: int = 0
    expired_days: int = 0


FOR_EVER: Final = LifecycleRules()


def lifecycle_rules(settings: AccountsSettings) -> LifecycleRules:
    """The rules that the operator has set."""
    return LifecycleRules(
        settings.starts_created,
        settings.active_days,
        settings.top_up_days,
        settings.one_way_barred_days,
        settings.expired_days,
    )


def follows_dates(account: Account) -> bool:
    """Whether its state came about by dates; what an operator barred by hand did not."""
    return account.state in {LifecycleState.ACTIVE, LifecycleState.CREATED, LifecycleState.RECYCLED} or (
        account.state in {LifecycleState.ONE_WAY_BARRED, LifecycleState.EXPIRED}
        and 0 < account.active_until_ms <= account.since_ms
    )


def due_ms(account: Account, rules: LifecycleRules) -> int:
    """When its dates move it on, in epoch milliseconds; 0 for never."""
    if not account.active_until_ms or not follows_dates(account):
        return 0
    match account.state:
        case LifecycleState.ACTIVE:
            return account.active_until_ms
        case LifecycleState.ONE_WAY_BARRED if rules.one_way_barred_days:
            return account.since_ms + rules.one_way_barred_days * DAY_MS
        case LifecycleState.EXPIRED if rules.expired_days:
            return account.since_ms + rules.expired_days * DAY_MS
        case _:
            return 0


_NEXT: Final = {
    LifecycleState.ACTIVE: LifecycleState.ONE_WAY_BARRED,
    LifecycleState.ONE_WAY_BARRED: LifecycleState.EXPIRED,
    LifecycleState.EXPIRED: LifecycleState.RECYCLED,
}


def advanced(account: Account, now_ms: int, rules: LifecycleRules) -> Account:
    """Take every step that is due; each counts from its own date, however late it is taken."""
    while 0 < (due := due_ms(account, rules)) <= now_ms:
        account = _replace(account, state=_NEXT[account.state], since_ms=due)
    return account


def first_used(account: Account, now_ms: int, rules: LifecycleRules) -> Account:
    """Start the life of a created account; any other is returned as it is."""
    if account.state is not LifecycleState.CREATED:
        return account
    until_ms = now_ms + rules.active_days * DAY_MS if rules.active_days else 0
    return _replace(account, state=LifecycleState.ACTIVE, since_ms=now_ms, active_until_ms=until_ms)


def topped_up(account: Account, now_ms: int, rules: LifecycleRules) -> Account:
    """What a top-up does to its dates: a created account begins, an active one is prolonged, an expired one returns."""
    account = first_used(account, now_ms, rules)
    if not rules.top_up_days or not account.active_until_ms or not follows_dates(account):
        return account
    if account.state is LifecycleState.RECYCLED:
        return account
    until_ms = max(account.active_until_ms, now_ms + rules.top_up_days * DAY_MS)
    since_ms = account.since_ms if account.state is LifecycleState.ACTIVE else now_ms
    return _replace(account, state=LifecycleState.ACTIVE, since_ms=since_ms, active_until_ms=until_ms)
