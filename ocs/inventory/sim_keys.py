"""Seals the keys (Ki) of SIMs under one key that stands in a file of its own, and nowhere else.

A Ki in clear exists as bytes between a caller and this module only: no record here has it, so none can be shown, logged
or exported. AES-256-GCM binds each to its ICCID and IMSI: a sealed Ki that is put into another row does not open.
"""

import os
import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ocs.inventory.errors import InventoryError
from ocs.secret_file import read_secret_file
from ocs.settings import Settings, resolve_path

_FILE: Final = "inventory.key"
_NONCE_OCTETS: Final = 12
_KEY_OCTETS: Final = 32
# 3GPP TS 33.102 section 6.3.3: K has 128 bits; TS 35.231 (TUAK) has 256 too.
_KI: Final = re.compile(r"(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{64})")


class SimKeys:
    """Seals and opens.

    Args:
        key: 32 octets.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "SimKeys()"

    def seal(self, ki: str, *, iccid: str, imsi: str) -> bytes:
        """Seal a Ki, given in hexadecimal.

        Raises:
            InventoryError: it is none; the text does not repeat it.
        """
        if not _KI.fullmatch(ki):
            raise InventoryError(f"{iccid}: expected a Ki of 32 or 64 hexadecimal digits")
        nonce = os.urandom(_NONCE_OCTETS)
        return nonce + self._cipher.encrypt(nonce, bytes.fromhex(ki), _about(iccid, imsi))

    def open(self, sealed: bytes, *, iccid: str, imsi: str) -> bytes:
        """A Ki in clear, for whoever programs an authentication centre.

        Raises:
            InventoryError: it was sealed under another key, or for another SIM.
        """
        nonce, rest = sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:]
        try:
            return self._cipher.decrypt(nonce, rest, _about(iccid, imsi))
        except InvalidTag:
            raise InventoryError(
                f"{iccid}: its Ki does not open: is inventory.key_file the one that it was sealed with?"
            ) from None


def load_sim_keys(settings: Settings, data_dir: Path) -> SimKeys:
    """The key that the settings name; without one, that of the data folder, made when there is none yet.

    Raises:
        SecretFileError: the file cannot be read, or everybody can read it. InventoryError: it holds no key.
    """
    if settings.inventory.key_file:
        path = resolve_path(settings, settings.inventory.key_file)
    else:
        path = data_dir / _FILE
        _make(path)
    text = read_secret_file(path)
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_OCTETS:
        raise InventoryError(f"{path}: expected {2 * _KEY_OCTETS} hexadecimal digits")
    return SimKeys(key)


def _about(iccid: str, imsi: str) -> bytes:
    return f"{iccid} {imsi}".encode()


def _make(path: Path) -> None:
    """Make a key file, whole or not at all; one that is there stays."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{os.urandom(_KEY_OCTETS).hex()}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # of two that make one at once, one is taken by both
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
