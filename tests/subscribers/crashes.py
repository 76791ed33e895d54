"""A process that dies between two commits, or is overtaken there."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import pytest

from ocs.balance.client import BalanceClient


class Died(BaseException):
    """The process is gone; nothing in it may notice."""


def crash_points(monkeypatch: pytest.MonkeyPatch, most: int = 10) -> Iterator["CrashAfter"]:
    """One process for each number of commits after which it dies, from none to ``most``."""
    for commits in range(most):
        yield CrashAfter(monkeypatch, commits)


class CrashAfter:
    """While it is entered, the process dies instead of making its next commit but so many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, commits: int) -> None:
        self.commits = commits
        self.has_died = False
        self._left = commits
        self._change = BalanceClient.change
        self._monkeypatch = monkeypatch

    def __enter__(self) -> None:
        def change(client: BalanceClient, *args: object) -> None:
            if not self._left:
                raise Died
            self._left -= 1
            self._change(client, *args)  # type: ignore[arg-type]

        self._monkeypatch.setattr(BalanceClient, "change", change)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._monkeypatch.setattr(BalanceClient, "change", self._change)
        self.has_died = kind is Died
        return self.has_died


@contextmanager
def overtaken(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> Generator[None]:
    """Something happens before each commit: the process was slow, and others thought it dead."""
    change = BalanceClient.change

    def late(client: BalanceClient, *args: object) -> None:
        monkeypatch.setattr(BalanceClient, "change", change)
        meanwhile()
        monkeypatch.setattr(BalanceClient, "change", late)
        change(client, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(BalanceClient, "change", late)
    yield
    monkeypatch.setattr(BalanceClient, "change", change)
