"""``make demo``: the whole system on this machine, played by the gateway simulator over real sockets.

Ends by itself with status 0 when every expectation held and every micro-unit is accounted for. With ``KEEP=1`` in
the environment it stays up afterwards, until Ctrl-C.
"""

import contextlib
import logging
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from ocs.units import parse_micro
from simulators.demo_audit import Statement, audit
from simulators.demo_cast import CAST, Character, plots
from simulators.demo_faults import play_faults
from simulators.demo_view import DemoView, print_statements
from simulators.gateway.model import CREDIT_LIMIT_REACHED
from simulators.gateway.node import GatewayNode, NotConnectedError
from simulators.gateway.run import Exchange, GatewayRun, RunSettings
from simulators.operator import Operator, OperatorError
from simulators.system import SystemStartError, lab_config, running_system
from simulators.traps.alarm_list import AlarmListError

_LOOK_EVERY_S: Final = 0.1
# A command is mostly start-up of Python; more at once than cores would not be faster.
_COMMANDS_AT_ONCE: Final = 2
_PLAIN_WIDTH: Final = 100
_SEED: Final = 7
_PLAY_S: Final = 16.0
_TIME_SCALE: Final = 20.0
_LOST_SHARE: Final = 0.04
_REALM: Final = "lab.example"
_ORIGIN_HOST: Final = "gateway.lab.example"


class Cashier(threading.Thread):
    """Beside the play: shows balances as the system has them, and takes the money of who has run out."""

    def __init__(self, operator: Operator, view: DemoView) -> None:
        super().__init__(daemon=True)
        self.topped_up_micro = {character.account: 0 for character in CAST}
        self.problem = ""
        self._operator = operator
        self._view = view
        self._broke: queue.SimpleQueue[Character] = queue.SimpleQueue()
        self._paid: set[str] = set()
        self._closing = threading.Event()

    def watch(self, exchange: Exchange) -> None:
        """See an exchange; who is refused or redirected for want of credit pays once, if the cast says so."""
        answer = exchange.answer
        if answer is None:
            return
        codes = {answer.result_code, *(result.result_code for result in answer.services)}
        character = next(one for one in CAST if one.subscriber == exchange.request.subscriber)
        is_broke = CREDIT_LIMIT_REACHED in codes or exchange.request.ends_a_final_unit
        if is_broke and character.top_up and character.account not in self._paid:
            self._paid.add(character.account)
            self._broke.put(character)

    def run(self) -> None:
        """Serve until :meth:`close`."""
        try:
            while not self._closing.is_set():
                for character in CAST:
                    self._pay()
                    account = self._operator.live_account(character.account)
                    self._view.balance(character, account)
                    if self._closing.wait(_LOOK_EVERY_S):
                        return
        except OperatorError as error:
            self.problem = str(error)

    def _pay(self) -> None:
        with contextlib.suppress(queue.Empty):
            character = self._broke.get_nowait()
            # Told first: the gateway hears of it before the command has returned.
            self._view.topped_up(character, character.top_up)
            self._operator.top_up(character.account, character.top_up, reference=f"demo-{character.account}")
            self.topped_up_micro[character.account] += parse_micro(character.top_up)

    def close(self) -> None:
        """Stop after what is under way."""
        self._closing.set()
        self.join()


@contextlib.contextmanager
def _data_folder() -> Generator[Path]:
    """A fresh folder: the demo's accounts would be taken on the second run in an old one."""
    with tempfile.TemporaryDirectory(prefix="ocs-demo-") as folder:
        yield Path(folder)


def play(
    console: Console,
    operator: Operator,
    *,
    diameter: tuple[str, int],
    http: str,
    play_s: float = _PLAY_S,
    time_scale: float = _TIME_SCALE,
) -> bool:
    """Create the accounts, play, audit; True when everything held.

    Args:
        http: address to show.
        play_s: real seconds until subscribers leave; ``time_scale`` simulated seconds are in each.
    """
    console.print("Opening five accounts with `ocs account create` ...", highlight=False)
    with ThreadPoolExecutor(_COMMANDS_AT_ONCE) as hands:
        list(hands.map(partial(_open, operator), CAST))
    host, port = diameter
    title = f"Online charging   Diameter {host}:{port}   {http}"
    view = DemoView(console, title)
    cashier = Cashier(operator, view)

    def observe(exchange: Exchange) -> None:
        view.exchange(exchange)
        cashier.watch(exchange)

    settings = RunSettings(duration_s=play_s, time_scale=time_scale, lost_share=_LOST_SHARE, seed=_SEED)
    with GatewayNode(
        host=host, port=port, origin_host=_ORIGIN_HOST, origin_realm=_REALM, destination_realm=_REALM
    ) as node:
        node.wait_until_ready()
        prefix = f"{_ORIGIN_HOST};{int(time.time())};{os.getpid()}"
        run = GatewayRun(node, plots(_SEED), settings, session_prefix=prefix, observe=observe)
        with view:
            view.restart_clock()
            cashier.start()
            report = run.run()
            cashier.close()
            statements = _statements(operator, view, cashier, run)
    if cashier.problem:
        raise OperatorError(cashier.problem)
    print_statements(console, statements, report)
    return (
        report.failed == 0 and report.checked > 0 and not any(statement.problems for statement in statements)
    )


def _open(operator: Operator, character: Character) -> None:
    operator.create_account(
        character.account,
        offer=character.offer,
        msisdn=character.subscriber.msisdn,
        imsi=character.subscriber.imsi,
        balance=character.balance,
    )


def _statements(operator: Operator, view: DemoView, cashier: Cashier, run: GatewayRun) -> list[Statement]:
    """Audit each account, once all sessions are closed."""

    def statement(character: Character) -> Statement:
        account = operator.account(character.account)
        view.balance(character, account)
        topped_up_micro = cashier.topped_up_micro[character.account]
        events = operator.events(character.account)
        return audit(character, events, account, run.tally, topped_up_micro=topped_up_micro)

    with ThreadPoolExecutor(_COMMANDS_AT_ONCE) as hands:
        return list(hands.map(statement, CAST))


def main() -> int:
    """Run the demo; exit status 0 when everything held."""
    logging.getLogger("diameter").setLevel(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    console.print("Starting everything on this machine with `ocs up` ...", highlight=False)
    try:
        with (
            _data_folder() as folder,
            running_system(
                config=lab_config(),
                data_dir=folder,
                overrides={"OCS_LOG__LEVEL": "warning", "OCS_SNMP__PORT": "0"},
            ) as system,
        ):
            address = f"http://{system.listeners['http']}"
            operator = Operator(system.data_dir, lab_config(), http_address=system.listeners["http"])
            held = play(console, operator, diameter=system.address("diameter"), http=address)
            held &= play_faults(console, target=system.address("snmp"), http=system.listeners["http"])
            if os.environ.get("KEEP", "") in ("", "0"):
                console.print(
                    f"The system answered at {address}; `make demo KEEP=1` leaves it up.", highlight=False
                )
            else:
                console.print(f"Still up at {address}; Ctrl-C ends it.", highlight=False)
                with contextlib.suppress(KeyboardInterrupt):
                    threading.Event().wait()
    except KeyboardInterrupt:
        return 130
    except (SystemStartError, OperatorError, NotConnectedError, AlarmListError) as error:
        console.print(f"demo: {error}", style="red", highlight=False)
        return 1
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
