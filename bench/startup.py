"""Group ``startup``: how soon does a system that holds much serve again?"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.accounts import create_accounts
from bench.figures import Figure
from bench.gy import check_phase
from bench.load import LoadGenerator
from bench.processes import family
from bench.templates import LoadPlan
from simulators.system import lab_config, running_system

_OVERRIDES: Final = {"OCS_CHARGING__WORKERS": "1", "OCS_STORE__DURABILITY": "fsync"}
# Sessions that are opened right after the start, with every cache cold.
_FIRST: Final = 1_000
_MIB: Final = 1_048_576

Say = Callable[[str], None]


def run_startup(folder: Path, *, accounts: int, sessions: int, say: Say) -> list[Figure]:
    """Fill a store, open sessions, stop everything, and start again on what lies there.

    Args:
        folder: an empty folder for the data.
        sessions: left open while the system is down; at most as many as accounts.

    Raises:
        BenchError: an answer was not a success.
    """
    data_dir, run = folder / "startup", int(time.time())
    with running_system(config=lab_config(), data_dir=data_dir, overrides=_OVERRIDES) as system:
        plan = _plan(*system.address("diameter"), run=run, accounts=sessions)
        say(f"startup: creating {accounts} accounts")
        began_s = time.monotonic()
        create_accounts(data_dir, plan, accounts)
        created_s = time.monotonic() - began_s
        say(f"startup: opening {sessions} sessions")
        with LoadGenerator(plan) as load:
            check_phase("startup: opening", load.open_sessions())
    file_mib = sum(file.stat().st_size for file in data_dir.rglob("appendonly.aof.*")) / _MIB
    say("startup: starting again")
    began_s = time.monotonic()
    with running_system(config=lab_config(), data_dir=data_dir, overrides=_OVERRIDES) as system:
        ready_s = time.monotonic() - began_s
        host, port = system.address("diameter")
        # Other sessions than those that are open: their numbers begin anew.
        with LoadGenerator(_plan(host, port, run=run + 1, accounts=1)) as load:
            check_phase("startup: first answer", load.open_sessions())
            answered_s = time.monotonic() - began_s
        with LoadGenerator(_plan(host, port, run=run + 2, accounts=min(_FIRST, sessions))) as load:
            cold = load.open_sessions()
            check_phase("startup: cold caches", cold)
        store_mib = sum(use.resident_octets for use in family(system.pid).values() if use.is_store) / _MIB
    note = f"{accounts} accounts, {sessions} sessions open, a file of {file_mib:,.0f} MiB"
    return [
        Figure("startup_created_per_s", round(accounts / created_s, 1), "1/s", "", "accounts, in bulk"),
        Figure("startup_ready_s", round(ready_s, 2), "s", "seconds", note),
        Figure("startup_first_answer_s", round(answered_s, 2), "s", "seconds", note),
        Figure(
            "startup_cold_p99_ms", round(cold.latencies_ms["p99"], 2), "ms", "", f"first {_FIRST} INITIAL"
        ),
        Figure("startup_store_mib", round(store_mib, 1), "MiB", "", note),
    ]


def _plan(host: str, port: int, *, run: int, accounts: int) -> LoadPlan:
    return LoadPlan(host=host, port=port, run=run, accounts=accounts)
