"""Group traps against a real system and the receivers of others, with few traps; and its sender."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import traps
from bench.gy import BenchError
from bench.trap_receivers import SNMPTRAPD, free_port
from bench.trap_sender import Plan
from simulators.traps.packets import V2C, V3, User


@pytest.mark.skipif(SNMPTRAPD is None, reason="snmptrapd (Debian: snmptrapd) is not installed")
def test_every_trap_is_stored_and_every_receiver_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traps, "_SOURCES", 20)
    figures = traps.run_traps(tmp_path, say=lambda _: None, ports=5)
    assert [figure.name for figure in figures] == [
        "traps_v2c_per_s",
        "traps_list_100000_ms",
        "traps_filter_100000_ms",
        "traps_v2c_clears_per_s",
        "traps_durable_p50_ms",
        "traps_durable_p99_ms",
        "traps_v3_authpriv_per_s",
        "traps_v3_authpriv_clears_per_s",
        "snmptrapd_v2c_per_s",
        "snmptrapd_v3_authpriv_per_s",
        "pysnmp_v2c_per_s",
    ]
    assert all(figure.value > 0 for figure in figures)
    assert not any("lost" in figure.note.replace("none lost", "") for figure in figures)
    assert "100 distinct" in figures[0].note


@pytest.mark.parametrize("version", [V2C, V3])
def test_sender_is_never_further_ahead_than_its_window(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traps, "_STALLED_S", 0.5)
    with receiver() as (port, read):
        plan = Plan("127.0.0.1", port, version, User("nobody"), sources=4, ports=64)
        poured = traps.pour(plan, lambda: 0, window=64)
        assert poured.stored == 0
        assert read() == 64


def test_lost_traps_end_the_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traps, "pour", lambda *_: traps.Poured(stored=9, sent=10, elapsed_s=1.0))
    monkeypatch.setattr(traps, "family", lambda _: {})
    system = traps.RunningSystem(pid=1, data_dir=tmp_path, listeners={})
    plan = Plan("127.0.0.1", free_port(), V2C, User("nobody"), sources=1, ports=10)
    with pytest.raises(BenchError, match="10 traps were sent, 9 stored"):
        traps._poured(system, "x", plan, lambda: 0, lambda _: None)


@contextmanager
def receiver() -> Generator[tuple[int, "Reader"]]:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        bound.bind(("127.0.0.1", 0))
        bound.setblocking(False)
        yield bound.getsockname()[1], Reader(bound)


class Reader:
    """Counts what has come."""

    def __init__(self, bound) -> None:
        self._bound = bound

    def __call__(self) -> int:
        count = 0
        while True:
            try:
                self._bound.recv(65_535)
            except BlockingIOError:
                return count
            count += 1
