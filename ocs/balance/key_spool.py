"""All keys of a store, sorted by partition on disk: one scan of the store instead of one per partition."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

from ocs.limits import SPOOLED_KEYS_MAX

_OWN: Final = re.compile(rb"\{([0-9]+)\}([ausv]):")
_DIRECTORY: Final = b"d:"


class KeySpool:
    """Names of accounts, subscribers, sessions and vouchers by partition, and of the directory; memory is bounded.

    ::

        with KeySpool() as spool:
            spool.fill(connection.scan_iter(count=1_000))
            for key in spool.keys("a", partition=3): ...
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="ocs-verify-")
        self._waiting: dict[str, list[bytes]] = {}
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def fill(self, names: Iterable[bytes]) -> None:
        """Take all keys in; those that no audit asks for are dropped."""
        for name in names:
            own = _OWN.match(name)
            if own is not None:
                self._put(f"{own[2].decode()}-{int(own[1])}", name)
            elif name.startswith(_DIRECTORY):
                self._put("directory", name)
        self._flush()

    def keys(self, kind: str, partition: int) -> set[bytes]:
        """Names of a partition's accounts (``a``), subscribers (``u``), sessions (``s``) or vouchers (``v``)."""
        return set(self._read(f"{kind}-{partition}"))

    def partitions(self) -> set[int]:
        """Partitions in which there is any key, whatever the store says about their number."""
        names = (path.name for path in Path(self._folder.name).iterdir())
        return {int(name.partition("-")[2]) for name in names if "-" in name}

    def directory(self) -> Iterator[bytes]:
        """Names of all directory entries; a scan may give one twice."""
        return self._read("directory")

    def _put(self, file: str, name: bytes) -> None:
        self._waiting.setdefault(file, []).append(name)
        self._count += 1
        if self._count >= SPOOLED_KEYS_MAX:
            self._flush()

    def _flush(self) -> None:
        for file, names in self._waiting.items():
            with Path(self._folder.name, file).open("ab") as spool:
                # Keys hold whatever gateways sent: each is written with its length.
                spool.writelines(part for name in names for part in (len(name).to_bytes(4, "big"), name))
        self._waiting.clear()
        self._count = 0

    def _read(self, file: str) -> Iterator[bytes]:
        path = Path(self._folder.name, file)
        if not path.exists():
            return
        with path.open("rb") as spool:
            while length := spool.read(4):
                yield spool.read(int.from_bytes(length, "big"))
