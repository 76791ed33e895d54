"""Vouchers in a store: made by the batch, activated, blocked, found by their code."""

import re
import secrets
from collections.abc import Iterator
from typing import Final

from ocs import limits
from ocs.balance import keys
from ocs.balance.client import Change
from ocs.balance.store import ABSENT, Stored
from ocs.settings import VoucherSettings
from ocs.subscribers import vouchers
from ocs.subscribers.guesses import Guesses
from ocs.subscribers.office import Office, Receipt
from ocs.subscribers.operations import OperationError
from ocs.subscribers.plans import Plans
from ocs.subscribers.redemptions import Redemptions
from ocs.subscribers.voucher_codes import digest_of, draw_code, read_code
from ocs.subscribers.vouchers import (
    Voucher,
    VoucherBatch,
    VoucherState,
    decode_batch,
    decode_voucher,
    serial_of,
)
from ocs.units import Money

_BATCH: Final = re.compile(r"[A-Za-z0-9]{1,32}")
_BATCH_VOUCHERS_MAX: Final = 9_999_999


class UnknownCodeError(OperationError):
    """No voucher has this code."""


class VoucherService:
    """What operators and subscribers do with vouchers.

    Args:
        secret: the key of the codes' digests, the same for ever.
    """

    def __init__(self, office: Office, secret: str, settings: VoucherSettings) -> None:
        self._office = office
        self._client = office.client
        self._secret = secret
        self._redemptions = Redemptions(office)
        self._guesses = Guesses(office.client.connection, settings)

    # --- Batches ----------------------------------------------------------------------------------------

    def generate(
        self, batch: str, count: int, amount: Money, *, expires_ms: int = 0
    ) -> Iterator[tuple[str, str]]:
        """Make vouchers, not yet active; yields serial number and code of each as it is in the store.

        This is the only time that a code is known. What is not taken from the iterator is not made.

        Raises:
            OperationError: the batch exists, or is not well formed.
        """
        if _BATCH.fullmatch(batch) is None:
            raise OperationError(f"{batch!r} names no batch: 1 to 32 letters and digits")
        if not 1 <= count <= _BATCH_VOUCHERS_MAX:
            raise OperationError(f"a batch has 1 to {_BATCH_VOUCHERS_MAX} vouchers")
        if not 0 < amount.micro <= limits.BALANCE_MICRO_MAX:
            raise OperationError("a voucher is worth more than nothing, and no more than a balance can be")
        if expires_ms < 0:
            raise OperationError("vouchers do not expire before 1970")
        now_ms = self._office.clock.now_ms()
        made = VoucherBatch(batch, count, amount, now_ms, expires_ms)
        key = self._key(batch)

        def create(values: tuple[Stored, ...]) -> Change:
            if values[0].token != ABSENT:
                raise OperationError(f"batch {batch} exists already")
            return Change({key: made})

        self._client.change(batch, (key,), create)
        return self._make(made)

    def _make(self, batch: VoucherBatch) -> Iterator[tuple[str, str]]:
        for first in range(1, batch.count + 1, 500):
            numbers = range(first, min(first + 500, batch.count + 1))
            codes = self._fresh_codes(len(numbers))
            made = [
                (serial_of(batch.batch, number), code) for number, code in zip(numbers, codes, strict=True)
            ]

            def changes(made: list[tuple[str, str]] = made) -> Iterator[tuple[str, dict[str, bytes], Change]]:
                for serial, code in made:
                    digest = digest_of(code, self._secret)
                    voucher = Voucher(
                        serial,
                        digest,
                        batch.amount,
                        VoucherState.GENERATED,
                        batch.expires_ms,
                        changed_ms=batch.created_ms,
                    )
                    directory = {keys.voucher_code_key(digest): serial.encode()}
                    yield serial, directory, Change({self._key(serial): voucher})

            existing = set(self._client.create_pipelined(changes()))
            yield from ((serial, code) for serial, code in made if serial not in existing)

    def _fresh_codes(self, count: int) -> list[str]:
        """Codes that no voucher has."""
        codes: dict[str, None] = {}
        while len(codes) < count:
            drawn = [draw_code(secrets.randbelow) for _ in range(count - len(codes))]
            found = self._client.connection.ask(
                [("EXISTS", keys.voucher_code_key(digest_of(code, self._secret))) for code in drawn]
            )
            codes |= {code: None for code, exists in zip(drawn, found, strict=True) if not exists}
        return list(codes)

    def batch(self, batch: str) -> VoucherBatch:
        """What a batch was made as.

        Raises:
            OperationError: there is no such batch.
        """
        (stored,) = self._client.load((self._key(batch),))
        if stored.token == ABSENT:
            raise OperationError(f"there is no batch {batch!r}")
        return decode_batch(stored.content)

    def vouchers_of(self, batch: str) -> Iterator[Voucher]:
        """The vouchers of a batch by serial number.

        Raises:
            OperationError: there is no such batch.
        """
        count = self.batch(batch).count
        for first in range(1, count + 1, 500):
            serials = [serial_of(batch, number) for number in range(first, min(first + 500, count + 1))]
            for stored in self._client.read([self._key(serial) for serial in serials]):
                if stored.token != ABSENT:
                    yield decode_voucher(stored.content)

    # --- One voucher --------------------------------------------------------------------------------------

    def voucher(self, serial: str) -> Voucher:
        """A voucher by its serial number.

        Raises:
            OperationError: there is no such voucher.
        """
        return self._redemptions.voucher(serial)

    def activate(self, serial: str) -> Voucher:
        """Let a voucher be redeemed.

        Raises:
            OperationError: there is no such voucher, or it is used.
        """
        now_ms = self._office.clock.now_ms()
        return self._redemptions.change(serial, lambda voucher: vouchers.activate(voucher, now_ms))

    def block(self, serial: str) -> Voucher:
        """Let a voucher not be redeemed.

        Raises:
            OperationError: there is no such voucher, or it is used.
        """
        now_ms = self._office.clock.now_ms()
        return self._redemptions.change(serial, lambda voucher: vouchers.block(voucher, now_ms))

    def redeem(self, account_id: str, code: str) -> Receipt:
        """Put a voucher's value on an account, once for ever; who redeems it again gets his first receipt.

        Raises:
            UnknownCodeError: no voucher has this code, or a slip of the finger is in it.
            LockedOutError: too many wrong codes.
            OperationError: the voucher is used, blocked, expired or not active, or the account refuses its value.
            CurrencyMismatchError: the account is in another currency.
            StoreBusyError: it is not known how far it came; the sweep completes it, and so does a repeat.
        """
        digits = read_code(code)
        if digits is None:
            raise UnknownCodeError("this is not a voucher's code: look for a slip")
        account = self._client.account(account_id)
        if account is None:
            raise OperationError(f"there is no account {account_id!r}")
        self._guesses.begin(account_id)
        digest = digest_of(digits, self._secret)
        (serial,) = self._client.connection.ask([("GET", keys.voucher_code_key(digest))])
        if serial is None or self._redemptions.voucher(serial.decode()).digest != digest:
            raise UnknownCodeError("no voucher has this code")
        self._guesses.was_right(account_id)
        receipt = self._redemptions.redeem(serial.decode(), account_id)
        Plans(self._office).money_came(account_id)
        return receipt

    def _key(self, name: str) -> str:
        return self._redemptions.key_of(name)
