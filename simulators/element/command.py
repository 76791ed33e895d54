"""``ocs-sim element``: network elements that are configured over NETCONF or a command line."""

import argparse
import json
import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, Final

from simulators.element.cli_box import STYLES
from simulators.element.cli_config import LineError
from simulators.element.control import Control, tell
from simulators.element.datastores import PROFILES
from simulators.element.errors import Dialect
from simulators.element.model import LeafError, ModelError
from simulators.element.network_element import NetworkElement
from simulators.element.park import Park
from simulators.element.ssh import Login, new_host_key
from simulators.element.tree import PathError
from simulators.reports import write_json

NETCONF: Final = "netconf"
CLI: Final = "cli"
_PORT_MAX: Final = 65_535


class SetupError(ValueError):
    """The options do not describe a run; the message says which and why."""


@dataclass
class Served:
    """What elements did in a run."""

    elements: int
    elapsed_s: float
    steps: int
    faults: int


class ElementCommand:
    """The element simulator as a subcommand."""

    name = "element"
    summary = "network elements with NETCONF or a command line, and faults on command"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--type", choices=(NETCONF, CLI), default=NETCONF, help="what they speak")
        parser.add_argument("--count", type=int, default=1, help="how many")
        parser.add_argument("--name", default="ne", help="their names: NAME1, NAME2, ...")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument(
            "--port", type=int, default=0, help="of the first; the next take the next (0: free)"
        )
        parser.add_argument("--profile", choices=PROFILES, default="candidate", help="what NETCONF they can")
        parser.add_argument(
            "--dialect",
            choices=[one.value for one in Dialect],
            default=Dialect.STANDARD.value,
            help="whose error-tags they use",
        )
        parser.add_argument("--style", choices=STYLES, default=STYLES[0], help="of the command line")
        parser.add_argument("--user", default="admin", help="who may log in")
        parser.add_argument(
            "--password-file", type=Path, help="holds the password; without one it is 'admin'"
        )
        parser.add_argument(
            "--initial",
            type=Path,
            help="what they run at first: JSON of paths to values, for a command line its lines",
        )
        parser.add_argument("--folder", type=Path, help="where they remember what they are")
        parser.add_argument("--one-host-key", action="store_true", help="all have the same host key")
        parser.add_argument(
            "--duration", type=float, default=0.0, help="seconds to run (0: until interrupted)"
        )
        parser.add_argument("--control", type=Path, help="Unix socket that takes commands")
        parser.add_argument("--tell", metavar="JSON", help="send a command to --control and print the answer")
        parser.add_argument("--json", type=Path, help="write the summary to this file")

    def run(self, options: argparse.Namespace) -> int:
        """Run the elements until the time is over, or send one command."""
        try:
            if options.tell is not None:
                return _tell(options)
            served = serve(options)
        except (SetupError, ModelError, PathError, LeafError, LineError, OSError) as error:
            sys.stderr.write(f"ocs-sim element: {error}\n")
            return 2
        sys.stdout.write(
            f"element: {served.elements} elements, {served.elapsed_s:.1f} s\n"
            f"  steps: {served.steps}, faults: {served.faults}\n"
        )
        if options.json:
            write_json(options.json, served)
        return 0


def _tell(options: argparse.Namespace) -> int:
    if options.control is None:
        raise SetupError("--tell needs --control")
    answer = tell(options.control, options.tell)
    print(json.dumps(answer, indent=2))
    return 1 if "error" in answer else 0


def serve(options: argparse.Namespace) -> Served:
    """Have elements listen until the duration is over or the process is told to end.

    Raises:
        SetupError: options that do not go together.
    """
    settings = _settings(options)
    over = threading.Event()
    started = monotonic()
    with ExitStack() as stack:
        _end_on_signals(stack, over)
        park = stack.enter_context(Park(options.folder))
        make = park.new_netconf if options.type == NETCONF else park.new_cli
        elements: list[NetworkElement] = []
        for number in range(options.count):
            port = options.port + number if options.port else 0
            elements.append(make(f"{options.name}{number + 1}", port=port, **settings))
        park.start(elements)
        if options.control:
            stack.enter_context(Control(park, options.control))
        for element in elements:
            print(element.name, f"{element.address}:{element.port}", element.host_key, flush=True)
        over.wait(options.duration or None)
        steps = sum(len(element.faults.steps) for element in elements)
        faults = sum(len(element.faults.fired) for element in elements)
    return Served(len(elements), monotonic() - started, steps, faults)


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    if options.count < 1 or options.duration < 0:
        raise SetupError("--count must be more than 0, --duration not less")
    if options.port and options.port + options.count - 1 > _PORT_MAX:
        raise SetupError(f"there are no {options.count} ports from {options.port} on")
    path: Path | None = options.password_file
    password = path.read_text(encoding="utf-8").rstrip("\n") if path else "admin"
    settings: dict[str, Any] = {"host": options.host, "login": Login(user=options.user, password=password)}
    if options.one_host_key:
        settings["host_key"] = new_host_key()
    if options.initial:
        settings.update(_initial(options.type, options.initial.read_text(encoding="utf-8")))
    if options.type == NETCONF:
        return {**settings, "profile": options.profile, "dialect": Dialect(options.dialect)}
    return {**settings, "style": options.style}


def _initial(kind: str, text: str) -> dict[str, Any]:
    if kind == CLI:
        return {"lines": text.splitlines()}
    try:
        return {"running": dict[str, str | None](json.loads(text))}
    except (TypeError, ValueError) as error:
        raise SetupError(f"--initial is no JSON object: {error}") from error


def _end_on_signals(stack: ExitStack, over: threading.Event) -> None:
    """Have SIGINT and SIGTERM end the run in order; only the main thread may ask for them."""
    if threading.current_thread() is not threading.main_thread():
        return

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        over.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        stack.callback(signal.signal, number, signal.signal(number, end))
