"""What was done to accounts from outside of sessions, audited: calculated again from commits and events as data."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from ocs.balance.model import Account, Subscriber
from ocs.balance.store import Commit
from ocs.events import ChargeEvent, EventKind, NoticeKind
from ocs.subscribers.vouchers import Voucher, VoucherState, decode_voucher
from tests.support.books import check
from tests.support.expiring import Expiring
from tests.support.family import FAMILY, WEEK, WEEK_DAYS, Family
from tests.support.lives import Lives
from tests.support.paid_in import PaidIn

# What tests/simulation/story_catalogue.py says: of a period, and beside periods.
PERIOD_FEES = {"daily": ("day", 50_000), "daily-big": ("day-big", 80_000), FAMILY: (WEEK, 0)}
OTHER_FEES = {"set-up": 20_000, "extra": 30_000}
_FEES = OTHER_FEES | dict(PERIOD_FEES.values())
_SET_UP, ONE_OFF = "daily-big", "extra"
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
# A day on which clocks change has an hour more.
_PERIOD_MS_MAX = 25 * _HOUR_MS
_SLACK_MS = 15_000


@dataclass
class Transfer:
    """Money on its way from account to account; ``arrived`` names the one that has it in the end."""

    receiver: str
    micro: int
    arrived: str = ""


class Dealings:
    """One line of commits, as far as operations are concerned."""

    def __init__(self) -> None:
        self.transfers: dict[tuple[str, str], Transfer] = {}
        self.vouchers: dict[str, Voucher] = {}
        self.credited: dict[str, str] = {}  # serial number -> account
        self.reservations: dict[tuple[str, str], int] = {}  # account, bucket -> what is left
        self.counts: Counter[str] = Counter()
        self._agenda: dict[str, int] = {}
        self._top_ups: dict[str, int] = {}
        self._lives = Lives(self.counts)
        self._expiring = Expiring(self.counts)
        self._family = Family(self._expiring, self.counts)
        self._paid_in = PaidIn(self.counts)

    def committed(
        self,
        commit: Commit,
        events: list[ChargeEvent],
        accounts: list[Account],
        subscribers: list[tuple[Subscriber | None, Subscriber]],
        at_ms: int,
    ) -> None:
        """A commit was carried out.

        Args:
            subscribers: what was written, before and after.
        """
        for change in commit.agenda:
            if change.score_ms is None:
                self._agenda.pop(change.member, None)
            else:
                self._agenda[change.member] = change.score_ms
        for write in commit.writes:
            key = commit.keys[write.index]
            if key[key.index("}") + 1] == "v":
                voucher = decode_voucher(write.content)
                self._check_voucher(self.vouchers.get(voucher.serial), voucher)
                self.vouchers[voucher.serial] = voucher
        self._lives.committed(accounts, events, at_ms)
        self._paid_in.committed(commit, self._agenda, accounts, events)
        self._expiring.committed(accounts, events, at_ms)
        self._expiring.check_gone(events, at_ms)
        after = {account.account_id: {b.bucket_id: b for b in account.buckets} for account in accounts}
        self._family.committed(after, subscribers, events, at_ms)
        self._expiring.settled(accounts)
        self._check_reservations(events)
        self._check_changes(events)
        for event in events:
            if event.kind is EventKind.TRANSFER:
                self._check_transfer(event)
            elif event.kind is EventKind.TOP_UP and event.reason.startswith("voucher"):
                self._check_credit(event)
            elif event.kind is EventKind.TOP_UP:
                # A bonus comes with it, in buckets of its own.
                paid = (m for m in event.movements if not m.bucket_id.startswith("bonus."))
                self._top_ups[event.event_id] = sum(m.amount for m in paid)
        self._check_fees(events, subscribers, at_ms)
        self._check_agenda(accounts, [after for _, after in subscribers], at_ms)
        for change in commit.agenda:
            if change.score_ms is None:
                self._check_line_gone(change.member)

    # --- Transfers ----------------------------------------------------------------------------------------

    def _check_transfer(self, event: ChargeEvent) -> None:
        kind, _, rest = event.event_id.partition(":")
        if kind == "transfer":
            reference = rest.removeprefix(f"{event.account_id}:")
            place = event.account_id, reference
            check(place not in self.transfers and event.amount_micro < 0, "sent twice:", event)
            self.transfers[place] = Transfer(event.reason, -event.amount_micro)
            check(
                f"t\n{event.account_id}\n{reference}" in self._agenda, "sent, and nobody completes it:", event
            )
            return
        sender = event.reason if kind == "transfer-in" else event.account_id
        transfer = self.transfers.get((sender, rest.rpartition(":")[2]))
        check(transfer is not None, "came from nowhere:", event)
        assert transfer is not None
        check(not transfer.arrived, "came twice:", event, transfer)
        check(transfer.micro == event.amount_micro, "sent", transfer, "came", event)
        check(event.account_id in {transfer.receiver, sender}, "came to somebody else:", event)
        transfer.arrived = event.account_id
        self.counts["transfers come back" if event.account_id == sender else "transfers arrived"] += 1

    # --- Reservations -------------------------------------------------------------------------------------

    def _check_reservations(self, events: list[ChargeEvent]) -> None:
        """What is set aside is taken by who names it, and what is left of it comes back whole."""
        for event in events:
            moved = {m.bucket_id: m.amount for m in event.movements if m.bucket_id.startswith("set-aside.")}
            for bucket_id, amount in moved.items():
                place = event.account_id, bucket_id
                is_parked = event.kind is EventKind.TOP_UP
                is_begun = is_parked or event.event_id.startswith("reservation:")
                left = self.reservations.pop(place, 0)
                check(is_begun == (not left), "set aside twice, or never:", event, left)
                if event.kind is EventKind.ADJUSTMENT:
                    check(event.reason == "reservation" and amount == event.amount_micro, "taken by", event)
                    check(0 < -amount <= left, "taken beyond what is set aside:", event, left)
                else:
                    check(
                        is_parked or event.kind is EventKind.RESERVATION,
                        "somebody else took what is set aside:",
                        event,
                    )
                    check(amount > 0 if is_begun else -amount == left, "of a reservation of", left, event)
                    self.counts["reservations given back"] += not is_begun
                if left + amount:
                    self.reservations[place] = left + amount

    # --- Vouchers -----------------------------------------------------------------------------------------

    def _check_voucher(self, before: Voucher | None, after: Voucher) -> None:
        if before is None:
            return
        check(before.state is not VoucherState.REDEEMED or after == before, "used again:", before, after)
        is_taken = before.state is after.state is VoucherState.CLAIMED
        check(not is_taken or after == before, "claimed twice:", before, after)
        if after.state is VoucherState.CLAIMED:
            check(f"v\n{after.serial}" in self._agenda, "claimed, and nobody completes it:", after)
        if after.state is VoucherState.REDEEMED:
            check(self.credited.get(after.serial) == after.account_id, "redeemed by nobody:", after)

    def _check_credit(self, event: ChargeEvent) -> None:
        serial = event.event_id.rpartition(":")[2].rpartition(".")[0]
        voucher = self.vouchers[serial]
        check(serial not in self.credited, "a voucher paid twice:", event, self.credited)
        check(voucher.amount.micro == event.amount_micro, "a voucher paid", event, "is worth", voucher)
        check(
            voucher.state is VoucherState.CLAIMED and voucher.account_id == event.account_id,
            "a voucher paid somebody else:", event, voucher,
        )  # fmt: skip
        self.credited[serial] = event.account_id
        self.counts["vouchers credited"] += 1

    # --- Offers -------------------------------------------------------------------------------------------

    def _check_fees(
        self, events: list[ChargeEvent], subscribers: list[tuple[Subscriber | None, Subscriber]], at_ms: int
    ) -> None:
        """Each period of an offer is paid once, when it begins and not before."""
        fees = [event for event in events if event.kind is EventKind.FEE and event.amount_micro < 0]
        by_days = [fee for fee in fees if fee.reason != WEEK]
        check(all(fee.amount_micro == -_FEES[fee.reason] for fee in by_days), "fees", fees)
        paid = Counter(fee.reason for fee in fees if fee.reason != ONE_OFF)
        due: Counter[str] = Counter()
        for before, after in subscribers:
            known = {each.offer_id: each for each in before.subscriptions} if before is not None else {}
            for each in after.subscriptions:
                was = known.get(each.offer_id)
                periods = each.renewals - (was.renewals if was else 0)
                check(periods >= 0, "periods taken back:", was, each)
                due[PERIOD_FEES[each.offer_id][0]] += periods
                due["set-up"] += each.offer_id == _SET_UP and periods > 0 and was is None
                if periods:
                    period_ms = _PERIOD_MS_MAX * (WEEK_DAYS if each.offer_id == FAMILY else 1)
                    check(each.renews_ms <= at_ms + period_ms, "paid ahead:", each, at_ms)
                    self.counts["renewals"] += was is not None
                    days = -(-(each.renews_ms - was.renews_ms) // _DAY_MS) if was else 1
                    check(periods <= days, "periods paid more than once:", was, each)
        check(+paid == +due, "fees", fees, "for periods", due, subscribers)

    def _check_changes(self, events: list[ChargeEvent]) -> None:
        """A change of plan is one step: what was had ends with the commit that brings the new."""
        steps: dict[str, set[str]] = defaultdict(set)
        for event in events:
            _, is_change, order = event.event_id.partition(":change:")
            if is_change and event.notice is not None and event.notice.kind is NoticeKind.SUBSCRIPTION:
                steps[order.partition(";")[0]].add(event.notice.subject.rpartition(" ")[2])
        check(all(each == {"cancelled", "bought"} for each in steps.values()), "half a change:", steps)
        self.counts["plans changed"] += len(steps)

    # --- The agenda ---------------------------------------------------------------------------------------

    def _check_agenda(self, accounts: list[Account], subscribers: list[Subscriber], at_ms: int) -> None:
        """What is due some day is on the agenda, and not for later."""
        for account in accounts:
            ends = [bucket.valid_until_ms for bucket in account.buckets if bucket.valid_until_ms]
            if due_ms := self._lives.due_ms(account):
                self._check_line(f"a\n{account.account_id}", max(due_ms, at_ms + _SLACK_MS), account)
            if ends:
                latest = max(min(ends), at_ms + _HOUR_MS + _SLACK_MS)
                self._check_line(f"a\n{account.account_id}", latest, account)
        for subscriber in subscribers:
            for each in subscriber.subscriptions:
                moments = [each.until_ms, each.renews_ms and max(each.renews_ms, each.retry_ms)]
                if any(moments):
                    member = f"u\n{subscriber.account_id}\n{subscriber.subscriber_id}"
                    self._check_line(member, min(filter(None, moments)), subscriber)

    def _check_line(self, member: str, latest_ms: int, what: object) -> None:
        line_ms = self._agenda.get(member)
        check(
            line_ms is not None and line_ms <= latest_ms, "on the agenda for", line_ms, "due", latest_ms, what
        )

    def _check_line_gone(self, member: str) -> None:
        kind, *names = member.split("\n")
        if kind == "t":
            transfer = self.transfers.get((names[0], names[1]))
            check(transfer is None or bool(transfer.arrived), "taken for completed:", names, transfer)
        elif kind == "p":
            self._paid_in.check_line_gone(names[0], names[1])
        elif kind == "v":
            check(self.vouchers[names[0]].state is not VoucherState.CLAIMED, "taken for settled:", names)

    # --- The end ------------------------------------------------------------------------------------------

    def check_told(self, redeemed: dict[str, str]) -> None:
        """Who was told that a voucher is his has its value."""
        for serial, account_id in redeemed.items():
            check(self.credited.get(serial) == account_id, "told and lost:", serial, account_id)

    def check_paid(self, account_id: str, reference: str, micro: int) -> None:
        """What was paid for a holder is on his account."""
        came = self._top_ups.get(f"topup:{account_id}:{reference}")
        check(came == micro, "paid", micro, "for", account_id, "came", came, reference)
        self.counts["automatic top-ups"] += 1

    def close(self) -> None:
        """Everything has come to its end: money is in one account, vouchers are used or not."""
        self._paid_in.close()
        for place, transfer in self.transfers.items():
            check(bool(transfer.arrived), "under way for ever:", place, transfer)
        for voucher in self.vouchers.values():
            check(voucher.state is not VoucherState.CLAIMED, "claimed for ever:", voucher)
            is_used = voucher.state is VoucherState.REDEEMED
            check(is_used == (voucher.serial in self.credited), "voucher", voucher, self.credited)
