"""``python -m bench``: measure, print a table and write ``bench/results.json``."""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from bench import gy, scale
from bench.accounts import StoreNotFoundError, create_accounts
from bench.figures import Figure, print_figures, write_figures
from bench.inventory import run_inventory
from bench.load import GeneratorError
from bench.machine import measure_machine
from bench.provisioning import run_provisioning
from bench.soak import run_soak
from bench.startup import run_startup
from bench.templates import LoadPlan
from bench.topup import run_topup
from bench.traps import run_traps
from simulators.system import SystemStartError

# The last two take long and are run when they are asked for.
GROUPS: Final = ("gy", "scale", "topup", "traps", "inventory", "provisioning", "startup", "soak")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="python -m bench", description="Measure the system; see docs.")
    arguments.add_argument("--only", choices=GROUPS, help="run one group")
    arguments.add_argument("--seconds", type=float, default=30.0, help="length of each measured phase")
    arguments.add_argument("--accounts", type=int, default=10_000, help="accounts that are charged")
    arguments.add_argument(
        "--host", default="", help="measure a system that already runs: its Diameter address"
    )
    arguments.add_argument("--port", type=int, default=3868, help="its Diameter port")
    arguments.add_argument("--no-million", action="store_true", help="leave out the million accounts")
    arguments.add_argument("--sql-url", default="", help="inventory: an empty PostgreSQL database (SQLite)")
    arguments.add_argument("--sessions", type=int, default=0, help="startup: sessions left open (0: a tenth)")
    arguments.add_argument("--minutes", type=float, default=30.0, help="soak: how long")
    arguments.add_argument("--rate", type=float, default=0.0, help="soak: requests per second (0: half load)")
    arguments.add_argument("--samples", type=Path, default=Path(__file__).parent / "soak.json")
    arguments.add_argument("--results", type=Path, default=Path(__file__).parent / "results.json")
    return arguments


def run(options: argparse.Namespace, console: Console) -> list[Figure]:
    """Run the chosen groups; figures of a system elsewhere when ``--host`` is given."""

    def say(line: str) -> None:
        console.print(line, highlight=False)

    if options.host:
        plan = LoadPlan(host=options.host, port=options.port, run=int(time.time()), accounts=options.accounts)
        return gy.measure(plan, duration_s=options.seconds, say=say, system=None)[0]
    with tempfile.TemporaryDirectory(prefix="ocs-bench-") as folder:
        figures = measure_machine(Path(folder))
        if options.only in {None, "gy"}:
            figures += gy.run_embedded(
                Path(folder), duration_s=options.seconds, accounts=options.accounts, say=say
            )
            if not options.no_million:
                figures += gy.measure_million_accounts(Path(folder), create_accounts, say=say)
        if options.only in {None, "scale"}:
            figures += scale.run_scale(
                Path(folder), duration_s=options.seconds, accounts=options.accounts, say=say
            )
        if options.only in {None, "topup"}:
            figures += run_topup(Path(folder), duration_s=options.seconds, accounts=options.accounts, say=say)
        if options.only in {None, "traps"}:
            figures += run_traps(Path(folder), say=say)
        if options.only in {None, "inventory"}:
            figures += run_inventory(Path(folder), say=say, url=options.sql_url)
        if options.only in {None, "provisioning"}:
            figures += run_provisioning(Path(folder), say=say)
        if options.only == "startup":
            sessions = options.sessions or options.accounts // 10
            figures += run_startup(Path(folder), accounts=options.accounts, sessions=sessions, say=say)
        if options.only == "soak":
            figures += run_soak(
                Path(folder),
                minutes=options.minutes,
                rate_per_s=options.rate,
                accounts=options.accounts,
                samples=options.samples,
                say=say,
            )
    return figures


def main() -> int:
    """Run; exit status 1 when the system could not be measured."""
    options = parser().parse_args()
    console = Console(stderr=True)
    try:
        figures = run(options, console)
    except (StoreNotFoundError, GeneratorError, SystemStartError, gy.BenchError) as error:
        console.print(f"bench: {error}", style="red", highlight=False)
        return 1
    write_figures(options.results, figures)
    print_figures(figures, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
