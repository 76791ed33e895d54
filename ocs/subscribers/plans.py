"""Offers bought, changed, cancelled and renewed in a store: the pure plan through the one door."""

from collections.abc import Callable

from ocs.balance import keys
from ocs.balance.client import Change, StoreBusyError
from ocs.balance.model import Account, Subscriber, SubscriptionState, decode_account, decode_subscriber
from ocs.balance.store import ABSENT, Stored
from ocs.subscribers.agenda import subscriber_member
from ocs.subscribers.office import AccountChange, Office, Order, Receipt
from ocs.subscribers.operations import Done, check_reference
from ocs.subscribers.subscriptions import Plan
from ocs.units import Money


class Plans:
    """What subscribers buy. By hand each once per reference; by dates each period once."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def buy(
        self, account_id: str, subscriber_id: str, offer_id: str, *, reference: str, until_ms: int = 0
    ) -> Receipt:
        """Put an offer in effect: charge what is due, grant its allowances.

        Args:
            until_ms: when it ends by itself, epoch milliseconds; 0 is open-ended.

        Raises:
            OperationError: unknown offer or subscriber, held already, unaffordable, or something is closed.
            StoreBusyError: it is not known whether it was done; the same reference may be tried again.
        """
        return self._once(
            ("buy", account_id, subscriber_id, f"{offer_id} until {until_ms}", reference),
            lambda plan: plan.buy(offer_id, until_ms=until_ms),
        )

    def cancel(
        self,
        account_id: str,
        subscriber_id: str,
        offer_id: str,
        *,
        reference: str,
        at_period_end: bool = False,
    ) -> Receipt:
        """End an offer, now or when the period that is paid ends.

        Raises:
            OperationError: the subscriber has no such offer. StoreBusyError: as for :meth:`buy`.
        """
        return self._once(
            ("cancel", account_id, subscriber_id, f"{offer_id} {at_period_end}", reference),
            lambda plan: plan.cancel(
                offer_id,
                at_period_end=at_period_end,
                others_have_it=self._others_have(account_id, subscriber_id, offer_id),
            ),
        )

    def change(
        self, account_id: str, subscriber_id: str, offer_id: str, new_offer_id: str, *, reference: str
    ) -> Receipt:
        """Put one offer in another's place, in one step: both or neither.

        Raises:
            OperationError: as for :meth:`buy` and :meth:`cancel`. StoreBusyError: as for :meth:`buy`.
        """

        def act(plan: Plan) -> None:
            others_have_it = self._others_have(account_id, subscriber_id, offer_id)
            plan.cancel(offer_id, others_have_it=others_have_it)
            plan.buy(new_offer_id)

        return self._once(("change", account_id, subscriber_id, f"{offer_id} {new_offer_id}", reference), act)

    def order(
        self, account_id: str, subscriber_id: str, offer_id: str, charge_id: str, *, reference: str
    ) -> Receipt:
        """Charge what an offer costs when it is ordered.

        Raises:
            OperationError: no such charge, or it is unaffordable. StoreBusyError: as for :meth:`buy`.
        """
        return self._once(
            ("order", account_id, subscriber_id, f"{offer_id} {charge_id}", reference),
            lambda plan: plan.order(offer_id, charge_id, reference),
        )

    def _others_have(self, account_id: str, subscriber_id: str, offer_id: str) -> bool:
        """Whether an offer with an allowance for all is another member's too.

        Asked after the account was read: who gets or ends an offer meanwhile changes it, and this is asked again.
        """
        offer = self._office.catalogue.offer(offer_id)
        if offer is None or not any(grant.is_once for grant in offer.allowances):
            return False
        after = ""
        while members := self._office.members(account_id, after=after):
            after = members[-1].subscriber_id
            if any(offer_id in each.offers and each.subscriber_id != subscriber_id for each in members):
                return True
        return False

    def _once(self, asked: tuple[str, str, str, str, str], act: Callable[[Plan], None]) -> Receipt:
        operation, account_id, subscriber_id, what, reference = asked
        office = self._office
        check_reference(reference)

        def decide(account: Account, subscriber: Subscriber | None) -> Done:
            assert subscriber is not None  # noqa: S101 - the order names one
            now_ms, name = office.clock.now_ms(), f"{operation}:{reference}"
            plan = Plan(account, subscriber, office.catalogue, now_ms, office.rules, name)
            act(plan)
            return plan.done()

        nothing = Money(0, office.account(account_id).currency)
        order = Order(
            operation, account_id, reference, nothing, f"{subscriber_id}: {what}", subscriber_id=subscriber_id
        )
        return office.once(order, decide, AccountChange.OFFERS)

    # --- By dates -----------------------------------------------------------------------------------------

    def renew(self, account_id: str, subscriber_id: str, *, has_money: bool = False) -> None:
        """Charge and end what has come due; what two look at is done once.

        Raises:
            StoreBusyError: not now.
        """
        office = self._office
        partition = office.client.partition_of(account_id)
        names = keys.account_key(partition, account_id), keys.subscriber_key(partition, subscriber_id)
        has_changed: list[bool] = []

        def decide(values: tuple[Stored, ...]) -> Change:
            if any(stored.token == ABSENT for stored in values):
                return Change({}, agenda={subscriber_member(account_id, subscriber_id): None})
            account, subscriber = decode_account(values[0].content), decode_subscriber(values[1].content)
            plan = Plan(account, subscriber, office.catalogue, office.clock.now_ms(), office.rules)
            plan.renew(has_money=has_money)
            done = plan.done()
            pairs = zip(names, (account, subscriber), (done.account, done.subscriber), strict=True)
            writes = {
                name: after for name, before, after in pairs if after is not None and after is not before
            }
            has_changed.append(bool(done.events))
            lines = office.agenda_of(done.account, done.subscriber or subscriber)
            return Change(dict(writes), done.events, agenda=lines)

        office.client.change(account_id, names, decide)
        if has_changed and has_changed[-1]:
            office.on_change(account_id, AccountChange.OFFERS)

    def money_came(self, account_id: str) -> None:
        """Try now what an account could not pay, or was not charged while somebody was barred.

        The sweep does it within the hour for what is left: the store was busy, or more members share the account than
        are looked at here.
        """
        try:
            for member in self._office.members(account_id):
                if any(
                    each.retry_ms or each.state is SubscriptionState.SUSPENDED
                    for each in member.subscriptions
                ):
                    self.renew(account_id, member.subscriber_id, has_money=True)
        except StoreBusyError:
            return
