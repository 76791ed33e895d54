"""What people want of an operator's clerks: top-ups, corrections, reservations, transfers, vouchers, offers, bars."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from random import Random

from ocs.api.payments import PaymentBody, Payments
from ocs.balance import keys
from ocs.balance.model import LifecycleState, encode_value
from ocs.balance.store import ABSENT, Commit, Write
from ocs.subscribers.administration import Administration
from ocs.subscribers.plans import Plans
from ocs.subscribers.redemptions import Redemptions
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.sweep import Sweeper
from ocs.subscribers.vouchers import Voucher, VoucherState
from ocs.units import Money
from tests.simulation.clerks import Errand
from tests.simulation.operators import PARTITIONS
from tests.simulation.terms import LEAVER
from tests.support.evidence import Evidence

VOUCHERS = tuple(f"story-{number}" for number in range(4))
VOUCHER_MICRO = 300_000
OFFERS = ("daily", "daily-big", "family")
FAMILY = "family"
ONE_OFF = "daily-big", "extra"


def voucher_commits() -> Iterator[Commit]:
    """The vouchers that there are at the beginning."""
    for serial in VOUCHERS:
        partition = keys.partition_of(serial, PARTITIONS)
        voucher = Voucher(serial, "", _eur(VOUCHER_MICRO), VoucherState.ACTIVE)
        yield Commit(
            partition, (keys.voucher_key(partition, serial),), (ABSENT,), b"vouch" + serial.encode(),
            (Write(0, encode_value(voucher)),),
        )  # fmt: skip


def _eur(micro: int) -> Money:
    return Money(micro, "EUR")


class _Counter:
    """The process around the API, as far as payments know it."""

    def __init__(self, service: SubscriberService) -> None:
        self._service = service

    def service(self) -> SubscriberService:
        return self._service


def pay(service: SubscriberService, account_id: str, amount: Money, reference: str) -> None:
    """A payment is asked for, and settled as paid, as whoever takes payments does it over HTTP."""
    office = service.office
    payments = Payments(office.client, office.clock, _Counter(service))  # type: ignore[arg-type]
    payments.pay(account_id, amount, method="card", reference=reference)
    payments.settle(PaymentBody(account_id=account_id, reference=reference, state="paid"))


def sweep(partition: int) -> Errand:
    """A look at what is due in a partition."""
    return Errand(f"sweep of {partition}", lambda s: Sweeper(s.office).sweep_partition(partition))


# Invents errands under a reference.
Wish = Callable[[str], Iterator[Errand]]


class Wishes:
    """Invents errands; what people are told goes into the evidence."""

    def __init__(self, random: Random, members: Sequence[tuple[str, str]], evidence: Evidence) -> None:
        self._random = random
        self._members = members
        self._accounts = sorted({account_id for account_id, _ in members})
        self._evidence = evidence
        self._numbers = count(1)
        self._holds: dict[tuple[str, str], str] = {}  # who is known to have which offer
        self._next: list[Wish] = []  # what has been done leads to

    def invent(self) -> Iterator[Errand]:
        """One errand, or two of the same voucher."""
        kinds = (
            *(self._top_up, self._adjust, self._send, self._send, self._send, self._redeem),
            *(self._pay, self._pay, self._close),
            *(self._plan, self._plan, self._change_plan, self._change_plan, self._order),
            *(self._join_family, self._join_family),
            *(self._bar, self._bar),
            *(self._set_aside, self._set_aside),
        )
        reference = f"w{next(self._numbers)}"
        # What one thing leads to comes soon, or days later.
        if self._next and self._random.random() < 0.5:
            yield from self._next.pop(self._random.randrange(len(self._next)))(reference)
        else:
            yield from self._random.choice(kinds)(reference)

    def _told(self, event_id: str, then: Wish | None = None) -> Callable[[bool], None]:
        def told(is_done: bool) -> None:
            if is_done:
                self._evidence.told_events.add(event_id)
                if then is not None:
                    self._next.append(then)

        return told

    def _top_up(self, reference: str) -> Iterator[Errand]:
        name, micro = self._random.choice(self._accounts), self._random.randint(1, 400_000)
        yield Errand(
            f"top-up of {name} by {micro}, {reference}",
            lambda s: s.top_up(name, _eur(micro), reference=reference),
            self._told(f"topup:{name}:{reference}", partial(self._set_aside, name=name)),
        )

    def _pay(self, reference: str) -> Iterator[Errand]:
        """Somebody has paid; whether the account takes it or not, the money is there."""
        name, micro = self._random.choice((LEAVER, *self._accounts)), self._random.randint(1, 400_000)
        if name == LEAVER:
            self._next.append(partial(self._end_reservation, known=(name, f"payment:{reference}", micro)))
        yield Errand(
            f"payment of {micro} for {name}, {reference}",
            lambda s: pay(s, name, _eur(micro), reference),
            self._told(f"topup:{name}:{reference}", partial(self._set_aside, name=name)),
        )

    def _close(self, reference: str) -> Iterator[Errand]:
        if self._random.random() < 0.6:
            yield Errand(
                f"{LEAVER} closed, {reference}",
                lambda s: Administration(s.office).set_account_state(
                    LEAVER, LifecycleState.CLOSED, reference=reference
                ),
            )

    def _adjust(self, reference: str) -> Iterator[Errand]:
        name, micro = (
            self._random.choice(self._accounts),
            self._random.choice((-1, 1)) * self._random.randint(1, 90_000),
        )
        yield Errand(
            f"adjustment of {name} by {micro}, {reference}",
            lambda s: s.adjust(name, _eur(micro), reason="story", reference=reference),
            self._told(f"adjustment:{name}:{reference}"),
        )

    def _send(self, reference: str) -> Iterator[Errand]:
        sender, receiver = self._random.sample([*self._accounts, LEAVER], 2)
        micro = self._random.randint(1, 200_000)
        yield Errand(
            f"transfer of {micro} from {sender} to {receiver}, {reference}",
            lambda s: s.transfer(sender, receiver, _eur(micro), reference=reference),
            self._told(f"transfer-in:{receiver}:{sender}:{reference}"),
        )

    def _redeem(self, reference: str) -> Iterator[Errand]:
        serial = self._random.choice(VOUCHERS)
        for name in self._random.sample(self._accounts, self._random.choice((1, 2, 2))):

            def redeem(service: SubscriberService, name: str = name) -> None:
                Redemptions(service.office).redeem(serial, name)
                Plans(service.office).money_came(name)

            def told(is_done: bool, name: str = name) -> None:
                if is_done:
                    self._evidence.redeemed(serial, name)

            yield Errand(f"{serial} for {name}, {reference}", redeem, told)

    def _set_aside(self, reference: str, name: str = "") -> Iterator[Errand]:
        name, micro = name or self._random.choice(self._accounts), self._random.randint(1, 150_000)
        known = name, reference, micro
        yield Errand(
            f"set {micro} aside of {name}, {reference}",
            lambda s: s.set_aside(name, _eur(micro), reference=reference),
            self._told(f"reservation:{name}:{reference}", partial(self._end_reservation, known=known)),
        )

    def _end_reservation(self, reference: str, known: tuple[str, str, int]) -> Iterator[Errand]:
        """A part of a reservation, or all of it, is taken; or what is left is given back."""
        name, reservation, micro = known
        if self._random.random() < 0.5:
            yield Errand(
                f"give {reservation} of {name} back, {reference}",
                lambda s: s.give_back(name, reservation=reservation, reference=reference),
                self._told(f"release:{name}:{reference}"),
            )
            return
        part = micro if self._random.random() < 0.2 else self._random.randint(1, micro)
        yield Errand(
            f"take {part} of {reservation} of {name}, {reference}",
            lambda s: s.take_set_aside(name, _eur(part), reservation=reservation, reference=reference),
            self._told(f"deduction:{name}:{reference}", partial(self._end_reservation, known=known)),
        )

    def _plan(self, reference: str) -> Iterator[Errand]:
        owner, offer = self._random.choice(self._members), self._random.choice(OFFERS)
        if self._random.random() < 0.7:
            yield Errand(
                f"{offer} for {owner}, {reference}",
                lambda s: Plans(s.office).buy(*owner, offer, reference=reference),
                self._has(owner, offer),
            )
        else:
            at_end = self._random.random() < 0.5
            yield Errand(
                f"no {offer} for {owner}, {reference}",
                lambda s: Plans(s.office).cancel(*owner, offer, reference=reference, at_period_end=at_end),
            )

    def _join_family(self, reference: str) -> Iterator[Errand]:
        """Members of the shared account have what all of them have once; two of them may come at a time."""
        family = [owner for owner in self._members if owner[0] == "shared"]
        for owner in self._random.sample(family, self._random.choice((1, 2))):
            yield Errand(
                f"{FAMILY} for {owner}, {reference}",
                lambda s, owner=owner: Plans(s.office).buy(
                    *owner, FAMILY, reference=f"{reference}.{owner[1]}"
                ),
                self._joined(owner),
            )

    def _joined(self, owner: tuple[str, str]) -> Callable[[bool], None]:
        def told(is_done: bool) -> None:
            if is_done:
                self._next.append(partial(self._leave_family, owner=owner))

        return told

    def _leave_family(self, reference: str, owner: tuple[str, str]) -> Iterator[Errand]:
        yield Errand(
            f"no {FAMILY} for {owner}, {reference}",
            lambda s: Plans(s.office).cancel(*owner, FAMILY, reference=reference),
        )

    def _has(self, owner: tuple[str, str], offer: str) -> Callable[[bool], None]:
        def told(is_done: bool) -> None:
            if is_done:
                self._holds[owner] = offer

        return told

    def _holder(self) -> tuple[tuple[str, str], str]:
        """A member with an offer that it may have."""
        if self._holds and self._random.random() < 0.9:
            return self._random.choice(list(self._holds.items()))
        return self._random.choice(self._members), self._random.choice(OFFERS)

    def _change_plan(self, reference: str) -> Iterator[Errand]:
        owner, old = self._holder()
        new = self._random.choice(sorted(set(OFFERS) - {old}))
        yield Errand(
            f"{new} instead of {old} for {owner}, {reference}",
            lambda s: Plans(s.office).change(*owner, old, new, reference=reference),
            self._has(owner, new),
        )

    def _order(self, reference: str) -> Iterator[Errand]:
        owner, _ = self._holder()
        account_id, subscriber_id = owner
        yield Errand(
            f"{ONE_OFF} for {owner}, {reference}",
            lambda s: Plans(s.office).order(*owner, *ONE_OFF, reference=reference),
            self._told(
                f"fee:{ONE_OFF[0]}:order:{reference}:{ONE_OFF[1]}:{account_id}:{subscriber_id}:order:{reference}"
            ),
        )

    def _bar(self, reference: str) -> Iterator[Errand]:
        """Somebody is barred; sooner or later he is let in again."""
        owner = self._random.choice(self._members)
        yield self._state(owner, LifecycleState.SUSPENDED, reference, partial(self._let_in, owner=owner))

    def _let_in(self, reference: str, owner: tuple[str, str]) -> Iterator[Errand]:
        yield self._state(owner, LifecycleState.ACTIVE, reference)

    def _state(
        self, owner: tuple[str, str], state: LifecycleState, reference: str, then: Wish | None = None
    ) -> Errand:
        def told(is_done: bool) -> None:
            if is_done and then is not None:
                self._next.append(then)

        return Errand(
            f"{owner} {state.name}, {reference}",
            lambda s: Administration(s.office).set_subscriber_state(*owner, state, reference=reference),
            told,
        )
