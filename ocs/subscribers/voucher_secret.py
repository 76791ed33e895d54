"""The key under which vouchers' codes are stored: a file that only we read, the same for ever."""

import os
import secrets
from pathlib import Path

from ocs.secret_file import read_secret_file
from ocs.settings import Settings, resolve_path
from ocs.subscribers.operations import OperationError


def voucher_secret(settings: Settings, data_dir: Path, *, may_create: bool = False) -> str:
    """Read the key of the vouchers' digests; blocks.

    Without it no voucher can be redeemed any more: keep a copy of it beside the store's backups, not among them.

    Args:
        may_create: make it when there is none and no setting names it, as with the first batch.

    Raises:
        SecretFileError: it cannot be read, or everybody can.
        OperationError: no batch has ever been made here.
    """
    named = settings.vouchers.secret_file
    path = resolve_path(settings, named) if named else data_dir / "voucher.key"
    if not named and not path.exists():
        if not may_create:
            raise OperationError(f"{path}: there is no key of vouchers: `ocs voucher generate` makes it")
        _create(path)
    return read_secret_file(path)


def _create(path: Path) -> None:
    """Write a new key, whole or not at all; somebody else's that came first stands."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
