"""What an audit of a store looks at beside accounts and sessions: the agenda, vouchers, money between two accounts.

Values and their agenda lines are read in one transaction, so that a store in use tells no false story. Blocking.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec

from ocs.balance import keys
from ocs.balance.findings import Finding, FindingKind
from ocs.balance.model import Account, Subscriber, decode_account, decode_subscriber
from ocs.balance.redis_commands import decode_stored
from ocs.balance.store import ABSENT, Stored
from ocs.balance.store_client import StoreClient
from ocs.events import ChargeEvent
from ocs.limits import OPERATION_MEMORY_S, VERIFY_PAGE
from ocs.subscribers.adjustments import SET_ASIDE
from ocs.subscribers.agenda import (
    AgendaKind,
    AgendaLine,
    account_due_ms,
    account_member,
    parse_line,
    subscriber_due_ms,
    subscriber_member,
    transfer_member,
    voucher_member,
)
from ocs.subscribers.office import Receipt, decode_receipt
from ocs.subscribers.operations import NO_RULES, AccountRules
from ocs.subscribers.vouchers import Voucher, VoucherState, decode_voucher, reference_of
from ocs.units import UnitType

# The sweep puts off what it cannot do, and looks hourly at what it must wait for: later than this is forgotten.
_LATE_MS: Final = 2 * 3_600_000
_T = TypeVar("_T")
_OUT, _IN, _BACK = "transfer:", "transfer-in:", "transfer-back:"


class OperationsAudit:
    """An :class:`~ocs.balance.verify.OtherAudit`; use once.

    Args:
        now_ms: epoch milliseconds. rules: the operator's, which say when an account's life goes on.
    """

    def __init__(
        self, connection: StoreClient, *, partitions: int, now_ms: int, rules: AccountRules = NO_RULES
    ) -> None:
        self._redis: Any = connection  # redis-py's commands are partly untyped
        self._partitions = partitions
        self._now_ms = now_ms
        self._rules = rules
        # Transfers of which one side only was seen so far: sender and reference -> what was sent less what came.
        self._open: dict[tuple[str, str], int] = {}
        self._sent: dict[tuple[str, str], ChargeEvent] = {}

    def findings_in(
        self, partition: int, names: Callable[[str], Iterable[bytes]], transfers: Sequence[ChargeEvent]
    ) -> Iterator[Finding]:
        """What is wrong in a partition; its transfers are remembered until the other side was seen."""
        for event in transfers:
            self._match(event)
        for kind, look in (("a", self._account), ("u", self._subscriber), ("v", self._voucher)):
            for page in _pages(names(kind)):
                yield from look(partition, page)
        yield from self._astray(partition)

    # --- Values and their lines ---------------------------------------------------------------------------

    def _account(self, partition: int, page: list[bytes]) -> Iterator[Finding]:
        members = [account_member(_id_of(key)) for key in page]
        for stored, line_ms in self._with_lines(partition, page, members):
            account = _decoded(stored, decode_account)
            if account is not None:
                due_ms = account_due_ms(account, self._rules.lifecycle, self._now_ms)
                yield from self._line(f"account {account.account_id}", due_ms, line_ms)
                yield from _set_aside(account)

    def _subscriber(self, partition: int, page: list[bytes]) -> Iterator[Finding]:
        found = [_decoded(stored, decode_subscriber) for stored, _ in self._with_lines(partition, page, [])]
        members = [
            "" if each is None else subscriber_member(each.account_id, each.subscriber_id) for each in found
        ]
        for stored, line_ms in self._with_lines(partition, page, members):
            subscriber: Subscriber | None = _decoded(stored, decode_subscriber)
            if subscriber is not None:
                name = f"{subscriber.subscriber_id} of account {subscriber.account_id}"
                yield from self._line(name, subscriber_due_ms(subscriber), line_ms)

    def _voucher(self, partition: int, page: list[bytes]) -> Iterator[Finding]:
        members = [voucher_member(_id_of(key)) for key in page]
        for stored, line_ms in self._with_lines(partition, page, members):
            voucher: Voucher | None = _decoded(stored, decode_voucher)
            if voucher is None or voucher.state is not VoucherState.CLAIMED:
                continue
            if line_ms is None:
                detail = f"claimed for account {voucher.account_id!r}, and not on the agenda"
                yield Finding(FindingKind.AGENDA_MISSING, f"voucher {voucher.serial}", detail)
            age_s = (self._now_ms - voucher.changed_ms) // 1000
            detail = f"{voucher.amount} for account {voucher.account_id!r}, {age_s} s ago, as {reference_of(voucher)}"
            yield Finding(FindingKind.VOUCHER_CLAIMED, voucher.serial, detail)

    def _line(self, name: str, due_ms: int | None, line_ms: int | None) -> Iterator[Finding]:
        if due_ms is None:
            return
        if line_ms is None:
            yield Finding(FindingKind.AGENDA_MISSING, name, f"due at {due_ms}, and not on the agenda")
        elif line_ms > max(due_ms, self._now_ms + _LATE_MS):
            yield Finding(FindingKind.AGENDA_MISSING, name, f"due at {due_ms}, on the agenda for {line_ms}")

    def _with_lines(
        self, partition: int, page: list[bytes], members: list[str]
    ) -> Iterator[tuple[Stored, int | None]]:
        """Values with when the agenda has them, at one moment."""
        transaction = self._redis.pipeline(transaction=True)
        transaction.mget(page)
        if members:
            transaction.zmscore(keys.agenda_key(partition), [_octets(member) for member in members])
        values, *scores = transaction.execute()
        times = scores[0] if scores else [None] * len(page)
        for value, time_ms in zip(values, times, strict=True):
            yield decode_stored(value), None if time_ms is None else int(time_ms)

    # --- Lines that lead nowhere ----------------------------------------------------------------------------

    def _astray(self, partition: int) -> Iterator[Finding]:
        agenda = keys.agenda_key(partition)
        for page in _pages(member for member, _ in self._redis.zscan_iter(agenda, count=VERIFY_PAGE)):
            lines: list[tuple[bytes, AgendaLine, str]] = []
            for member in page:
                name = member.decode(errors="replace")
                try:
                    line = parse_line(name)
                    lines.append((member, line, _key_of(partition, line)))
                except (ValueError, IndexError):
                    yield Finding(FindingKind.AGENDA_ASTRAY, repr(name), "is no line that this release knows")
            if not lines:
                continue
            transaction = self._redis.pipeline(transaction=True)
            transaction.mget([_octets(key) for _, _, key in lines])
            transaction.zmscore(agenda, [member for member, _, _ in lines])
            values, scores = transaction.execute()
            for (_, line, _), value, score in zip(lines, values, scores, strict=True):
                if score is not None:
                    yield from self._leads_to(line, int(score), decode_stored(value))

    def _leads_to(self, line: AgendaLine, line_ms: int, stored: Stored) -> Iterator[Finding]:
        name = " ".join(line.names)
        if stored.token == ABSENT:
            yield Finding(FindingKind.AGENDA_ASTRAY, f"{line.kind.name.lower()} {name}", "leads to nothing")
        elif line.kind is AgendaKind.TRANSFER:
            receipt = _decoded(stored, decode_receipt)
            detail = "" if receipt is None else f"{receipt.amount} to account {receipt.asked!r}, "
            late_s = max(0, self._now_ms - line_ms) // 1000
            yield Finding(FindingKind.TRANSFER_UNDER_WAY, name, f"{detail}to be completed since {late_s} s")
        elif line.kind is AgendaKind.VOUCHER:
            voucher = _decoded(stored, decode_voucher)
            if voucher is not None and voucher.state is not VoucherState.CLAIMED:
                yield Finding(FindingKind.AGENDA_ASTRAY, f"voucher {name}", "is not claimed")

    # --- Money between two accounts -------------------------------------------------------------------------

    def _match(self, event: ChargeEvent) -> None:
        """Set what was sent off against what came, or came back."""
        transfer = _transfer_of(event)
        left = self._open.pop(transfer, 0) - event.amount_micro
        if event.event_id.startswith(_OUT):
            self._sent[transfer] = event
        if left:
            self._open[transfer] = left
        else:
            self._sent.pop(transfer, None)

    def findings_between(self) -> Iterator[Finding]:
        """Money that left an account and is neither under way nor anywhere, or is in two."""
        for transfer, left in self._open.items():
            sent = self._sent.get(transfer)
            if sent is None:  # its event was trimmed: the receipts know
                yield from self._doubled(transfer)
                continue
            account_id, reference = transfer
            if self._is_under_way(account_id, reference):
                continue
            refused, has_come = self._outcome(sent.reason, f"{account_id}:{reference}")
            has_gone_back = self._receipt("transfer-back", account_id, reference) is not None
            subject = f"transfer {reference} of account {account_id}"
            if (has_come and has_gone_back) or left < 0:
                yield Finding(FindingKind.TRANSFER_TWICE, subject, f"to {sent.reason!r}, too much: {-left}")
            elif not has_come and not (refused and has_gone_back) and self._is_remembered(sent):
                yield Finding(FindingKind.TRANSFER_LOST, subject, f"to {sent.reason!r}, missing: {left}")

    def _doubled(self, transfer: tuple[str, str]) -> Iterator[Finding]:
        account_id, reference = transfer
        claimed = self._receipt("transfer", account_id, reference)
        if claimed is None or self._receipt("transfer-back", account_id, reference) is None:
            return
        _, has_come = self._outcome(claimed.asked, f"{account_id}:{reference}")
        if has_come:
            detail = f"{claimed.amount} is at {claimed.asked!r} and back"
            subject = f"transfer {reference} of account {account_id}"
            yield Finding(FindingKind.TRANSFER_TWICE, subject, detail)

    def _outcome(self, account_id: str, incoming: str) -> tuple[bool, bool]:
        """Whether the receiver refused a transfer, and whether he has it."""
        receipt = self._receipt("transfer-in", account_id, incoming)
        if receipt is None:
            return False, False
        return bool(receipt.refusal), not receipt.refusal

    def _receipt(self, operation: str, account_id: str, reference: str) -> Receipt | None:
        partition = keys.partition_of(account_id, self._partitions)
        key = keys.operation_key(partition, f"{operation}:{account_id}:{reference}")
        return _decoded(decode_stored(self._redis.get(key)), decode_receipt)

    def _is_under_way(self, account_id: str, reference: str) -> bool:
        agenda = keys.agenda_key(keys.partition_of(account_id, self._partitions))
        return self._redis.zscore(agenda, transfer_member(account_id, reference)) is not None

    def _is_remembered(self, sent: ChargeEvent) -> bool:
        return self._now_ms - sent.event_time_ms < OPERATION_MEMORY_S * 1000


def _transfer_of(event: ChargeEvent) -> tuple[str, str]:
    """Sender and reference, which its event's id tells."""
    event_id, own = event.event_id, event.account_id
    if event_id.startswith(_IN):
        return event.reason, event_id.removeprefix(f"{_IN}{own}:{event.reason}:")
    return own, event_id.removeprefix(_OUT).removeprefix(_BACK).removeprefix(f"{own}:")


def _set_aside(account: Account) -> Iterator[Finding]:
    """Money that is set aside pays for nothing, is there, and came from somewhere."""
    for bucket in account.buckets:
        if bucket.bucket_id.startswith(SET_ASIDE) and (
            bucket.unit_type is not UnitType.MONEY
            or bucket.value <= 0
            or bucket.reserved
            or bucket.valid_until_ms
            or (bucket.origins and sum(origin.value for origin in bucket.origins) < bucket.value)
        ):
            yield Finding(FindingKind.SET_ASIDE, account.account_id, f"reservation {bucket}")


def _key_of(partition: int, line: AgendaLine) -> str:
    """The value that a line is about; of a transfer its receipt."""
    match line.kind:
        case AgendaKind.ACCOUNT:
            return keys.account_key(partition, line.names[0])
        case AgendaKind.SUBSCRIBER:
            return keys.subscriber_key(partition, line.names[1])
        case AgendaKind.TRANSFER:
            return keys.operation_key(partition, f"transfer:{line.names[0]}:{line.names[1]}")
        case AgendaKind.VOUCHER:
            return keys.voucher_key(partition, line.names[0])
        case AgendaKind.PAYMENT:
            return keys.payment_key(partition, line.names[0], line.names[1])


def _decoded(stored: Stored, decode: Callable[[bytes], _T]) -> _T | None:
    """A value; None where there is none, or it cannot be read, which the audit of its room tells."""
    if stored.token == ABSENT:
        return None
    try:
        return decode(stored.content)
    except msgspec.MsgspecError:
        return None


def _id_of(key: bytes) -> str:
    return key.partition(b":")[2].decode(errors="surrogateescape")


def _octets(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def _pages(names: Iterable[bytes]) -> Iterator[list[bytes]]:
    iterator = iter(names)
    while page := list(islice(iterator, VERIFY_PAGE)):
        yield page
