"""Who there is when a story begins: accounts with their subscribers, and what these may take from a shared one."""

from msgspec.structs import replace

from ocs.balance import keys
from ocs.balance.model import LifecycleState, MemberLimit, encode_value
from ocs.balance.store import ABSENT, Commit, DeadlineChange, Write
from ocs.events import encode_event
from ocs.subscribers.agenda import account_member
from ocs.subscribers.openings import open_account
from ocs.subscribers.operations import NewAccount
from ocs.units import Money, UnitType
from tests.simulation.errands import voucher_commits
from tests.simulation.operators import PARTITIONS
from tests.simulation.scene import START_MS
from tests.simulation.sites import Sites
from tests.simulation.story_catalogue import story_catalogue
from tests.simulation.terms import DAY_MS, LEAVER, MORTAL, ORDERS

# Number -> account and subscriber.
Owners = dict[str, tuple[str, str]]
# Account, subscribers, opening and credit limit: one is shared, one has a credit limit, one is nearly empty.
OPENINGS = (("shared", 3, 2_000_000, 0), ("postpaid", 1, 0, 3_000_000), ("poor", 1, 100_000, 0))
# What members of the shared account may take from it in a day.
LIMITS = {
    "shared.1": (MemberLimit("limit.spending", UnitType.MONEY, "day", 400_000),),
    "shared.2": (MemberLimit("limit.volume", UnitType.TOTAL_OCTETS, "day", 6_000),),
}
_CREATED = b"created....."


def login_of(name: str) -> str:
    """What a subscriber logs in with at access servers; unlike a number it never moves."""
    return f"nai:{name}@wifi.example"


def create_accounts(sites: Sites, now_ms: int) -> Owners:
    """Open the accounts; returns whose each number is."""
    owners: Owners = {}
    _open_leaver(sites, now_ms)
    number = 491710000000
    for account_id, subscribers, opening, limit in OPENINGS:
        names = [f"{account_id}.{index}" for index in range(subscribers)]
        number += len(names)
        identities = [f"e164:{number + index}" for index in range(subscribers)]
        number += subscribers
        new = NewAccount(
            account_id,
            names[0],
            (identities[0],),
            ("packs", "stories", "basic"),
            Money(opening, "EUR"),
            limit,
        )
        opened = open_account(new, story_catalogue(), now_ms)
        partition = keys.partition_of(account_id, PARTITIONS)
        account = replace(opened.account, auto_top_up=ORDERS.get(account_id))
        if account_id == MORTAL:
            account = replace(account, active_until_ms=START_MS + DAY_MS)
        values = {keys.account_key(partition, account_id): encode_value(account)}
        for name, identity in zip(names, identities, strict=True):
            member = replace(
                opened.subscriber,
                subscriber_id=name,
                state=LifecycleState.ACTIVE,
                identities=(identity, login_of(name)),
                limits=LIMITS.get(name, ()),
            )
            values[keys.subscriber_key(partition, name)] = encode_value(member)
            owners[identity] = account_id, name
            _enter(sites, identity, account_id, name)
            _enter(sites, login_of(name), account_id, name)
        sites.primary.commit(
            Commit(
                partition, tuple(values), (ABSENT,) * len(values), _CREATED + account_id.encode(),
                tuple(Write(index, value) for index, value in enumerate(values.values())),
                tuple(encode_event(event) for event in opened.events),
                agenda=(DeadlineChange(account_member(account_id), START_MS + DAY_MS),),
            )
        )  # fmt: skip
    for commit in voucher_commits():
        sites.primary.commit(commit)
    sites.heal()
    return owners


def _open_leaver(sites: Sites, now_ms: int) -> None:
    """An account that nobody uses: it is paid for, and closed some day."""
    new = NewAccount(LEAVER, LEAVER, (), (), Money(0, "EUR"))
    opened = open_account(new, story_catalogue(), now_ms)
    partition = keys.partition_of(LEAVER, PARTITIONS)
    values = {
        keys.account_key(partition, LEAVER): encode_value(opened.account),
        keys.subscriber_key(partition, LEAVER): encode_value(opened.subscriber),
    }
    sites.primary.commit(
        Commit(
            partition, tuple(values), (ABSENT,) * len(values), _CREATED + LEAVER.encode(),
            tuple(Write(index, value) for index, value in enumerate(values.values())),
            tuple(encode_event(event) for event in opened.events),
        )
    )  # fmt: skip


def _enter(sites: Sites, identity: str, account_id: str, name: str) -> None:
    key, location = keys.identity_key(identity), keys.encode_location(account_id, name)
    sites.primary.write(lambda data, tell: data.write_hint(key, location, 0))
