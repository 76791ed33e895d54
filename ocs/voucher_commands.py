"""``ocs voucher``: batches made and written once, activated, blocked, shown; codes redeemed by hand."""

import argparse
import csv
import os
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from ocs.account_commands import print_receipt
from ocs.admin_commands import Desk
from ocs.api.tmf.resources import date_time
from ocs.clock import SystemClock
from ocs.event_listing import print_json
from ocs.subscribers.operations import OperationError
from ocs.subscribers.voucher_secret import voucher_secret
from ocs.subscribers.voucher_service import VoucherService
from ocs.subscribers.vouchers import Voucher, state_in_words
from ocs.units import Money, parse_micro


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``voucher`` to the command line."""
    voucher = commands.add_parser("voucher", help="make, activate, block and redeem vouchers").add_subparsers(
        required=True, metavar="ACTION"
    )
    make = voucher.add_parser(
        "generate", parents=[common], help="make a batch; its codes are written to a file this once"
    )
    make.add_argument("batch", help="letters and digits; serial numbers begin with it")
    make.add_argument("--count", type=int, required=True)
    make.add_argument("--amount", required=True, help="what each is worth, such as 10.00")
    make.add_argument("--valid-until", type=date.fromisoformat, default=None, metavar="YYYY-MM-DD")
    make.add_argument("--out", type=Path, required=True, help="new file for serial numbers and codes")
    make.set_defaults(run=_generate)
    for name, run, help_text in (
        ("activate", _activate, "let vouchers be redeemed"),
        ("block", _block, "let vouchers not be redeemed"),
    ):
        change = voucher.add_parser(name, parents=[common], help=help_text)
        change.add_argument("names", nargs="+", metavar="BATCH|SERIAL")
        change.set_defaults(run=run)
    show = voucher.add_parser("show", parents=[common], help="show a voucher, or how far a batch has come")
    show.add_argument("name", metavar="BATCH|SERIAL")
    show.add_argument("--json", action="store_true")
    show.set_defaults(run=_show)
    redeem = voucher.add_parser("redeem", parents=[common], help="put a voucher's value on an account")
    redeem.add_argument("account_id")
    redeem.add_argument(
        "code", nargs="?", default="-", help="its digits; without it, one line is read from standard input"
    )
    redeem.add_argument("--json", action="store_true")
    redeem.set_defaults(run=_redeem)


def _service(desk: Desk, *, may_create: bool = False) -> VoucherService:
    secret = voucher_secret(desk.settings, desk.data_dir, may_create=may_create)
    return VoucherService(desk.service.office, secret, desk.settings.vouchers)


def _generate(options: argparse.Namespace) -> None:
    desk = Desk(options)
    service = _service(desk, may_create=True)
    amount = Money(parse_micro(options.amount), desk.catalogue.currency)
    expires_ms = 0
    if options.valid_until is not None:
        # Valid on its last day too, wherever the subscriber is.
        end = datetime.combine(options.valid_until, datetime.min.time(), UTC) + timedelta(days=1)
        expires_ms = int(end.timestamp()) * 1000
    # The only copy of the codes: nobody else may read it, and no earlier one is written over.
    descriptor = os.open(options.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", newline="", encoding="ascii") as file:
        try:
            made = service.generate(options.batch, options.count, amount, expires_ms=expires_ms)
        except OperationError:
            options.out.unlink()
            raise
        writer = csv.writer(file)
        writer.writerow(("serial", "code"))
        for serial, code in made:
            writer.writerow((serial, code))
        file.flush()
        os.fsync(file.fileno())
    desk.console.print(f"{options.count} vouchers of {amount} in {options.out}")
    desk.console.print(f"`ocs voucher activate {options.batch}` lets them be used")


def _serials(service: VoucherService, names: list[str]) -> list[str]:
    """Serial numbers, each batch's in its place; a serial number has a hyphen."""
    return [
        serial
        for name in names
        for serial in ([name] if "-" in name else [voucher.serial for voucher in service.vouchers_of(name)])
    ]


def _activate(options: argparse.Namespace) -> None:
    desk = Desk(options)
    service = _service(desk)
    serials = _serials(service, options.names)
    for serial in serials:
        service.activate(serial)
    desk.console.print(f"{len(serials)} active")


def _block(options: argparse.Namespace) -> None:
    """Block what is unused; what is redeemed by now is counted and does not stop the rest of a batch."""
    desk = Desk(options)
    service = _service(desk)
    refused = 0
    serials = _serials(service, options.names)
    for serial in serials:
        try:
            service.block(serial)
        except OperationError:
            if serial in options.names:
                raise
            refused += 1
    redeemed = f", {refused} are redeemed already" if refused else ""
    desk.console.print(f"{len(serials) - refused} blocked{redeemed}")


def _show(options: argparse.Namespace) -> None:
    desk = Desk(options)
    service = _service(desk)
    now_ms = SystemClock().now_ms()
    if "-" in options.name:
        record = _record(service.voucher(options.name), now_ms)
    else:
        batch = service.batch(options.name)
        states = Counter(state_in_words(voucher, now_ms) for voucher in service.vouchers_of(options.name))
        record: dict[str, Any] = {
            "batch": batch.batch,
            "count": batch.count,
            "amount": str(batch.amount),
            "expires_ms": batch.expires_ms,
            **{state: states[state] for state in sorted(states)},
        }
    if options.json:
        print_json(record)
        return
    for name, value in record.items():
        if name.endswith("_ms"):
            desk.console.print(f"{name.removesuffix('_ms')}: {date_time(value) if value else 'never'}")
        elif value != "":
            desk.console.print(f"{name.replace('_', ' ')}: {value}")


def _record(voucher: Voucher, now_ms: int) -> dict[str, Any]:
    """A voucher for programs; its digest is nobody's business."""
    return {
        "serial": voucher.serial,
        "amount": str(voucher.amount),
        "state": state_in_words(voucher, now_ms),
        "account_id": voucher.account_id,
        "changed_ms": voucher.changed_ms,
        "expires_ms": voucher.expires_ms,
    }


def _redeem(options: argparse.Namespace) -> None:
    desk = Desk(options)
    code = sys.stdin.readline() if options.code == "-" else options.code
    print_receipt(desk, _service(desk).redeem(options.account_id, code), "voucher", as_json=options.json)
