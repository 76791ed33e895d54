"""``ocs-sim traps``: network elements that send SNMP notifications, and a look at the alarms that come of them."""

import argparse
import sys
from pathlib import Path
from random import Random
from typing import Final

from simulators.reports import write_json, write_junit
from simulators.system import lab_config
from simulators.traps.alarm_list import AlarmList, AlarmListError
from simulators.traps.network import NetworkError, read_network
from simulators.traps.packets import V1, V2C, V3, Speech, User
from simulators.traps.play import Played, play
from simulators.traps.scenarios import SCENARIOS
from simulators.traps.sender import Sender

_FAULTS_SHOWN: Final = 10
_PORT: Final = 10_162


class SetupError(ValueError):
    """The options do not describe a run; the message says which and why."""


class TrapsCommand:
    """The trap simulator as a subcommand."""

    name = "traps"
    summary = "network elements that send SNMP traps and informs: fibre cuts, failed cards, storms"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--scenario", choices=SCENARIOS, default="fibre-cut", help="what happens")
        parser.add_argument("--target", default=f"127.0.0.1:{_PORT}", help="where traps are taken: HOST:PORT")
        parser.add_argument(
            "--http", default="127.0.0.1:8080", help="where the alarm list is read: HOST:PORT"
        )
        parser.add_argument(
            "--topology",
            type=Path,
            default=lab_config().parent / "topology",
            help="the server's topology; elements with an address in 127.0.0.0/8 play",
        )
        parser.add_argument("--count", type=int, default=200, help="notifications of a cut or a storm, about")
        parser.add_argument(
            "--duration", type=float, default=0.0, help="seconds to send them in (0: at once)"
        )
        parser.add_argument("--seed", type=int, default=1, help="the same seed is the same story")
        parser.add_argument("--version", choices=(V1, V2C, V3), default=V2C, help="of SNMP")
        parser.add_argument("--informs", action="store_true", help="informs of version 2c in place of traps")
        parser.add_argument("--community", default="public", help="of versions 1 and 2c")
        parser.add_argument("--user", default="simulator", help="of version 3 (SHA-1, AES-128)")
        parser.add_argument(
            "--authentication-file", type=Path, help="holds the user's authentication password"
        )
        parser.add_argument("--privacy-file", type=Path, help="holds the user's privacy password")
        parser.add_argument(
            "--patience", type=float, default=20.0, help="seconds for the list to become right after an act"
        )
        parser.add_argument("--json", type=Path, help="write the summary to this file")
        parser.add_argument("--junit", type=Path, help="write expectations as JUnit XML to this file")

    def run(self, options: argparse.Namespace) -> int:
        """Play, print the summary, write what was asked for."""
        try:
            speech, target = chosen_speech(options), chosen_target(options.target)
            network = read_network(options.topology)
            story = SCENARIOS[options.scenario](network, Random(options.seed), options.count)
            with Sender(target) as sender:
                played = play(
                    story,
                    AlarmList(options.http),
                    sender,
                    speech,
                    duration_s=options.duration,
                    patience_s=options.patience,
                )
        except (SetupError, NetworkError, AlarmListError, OSError) as error:
            sys.stderr.write(f"ocs-sim traps: {error}\n")
            return 2
        played.seed = options.seed
        sys.stdout.write(describe(played))
        if options.json:
            write_json(options.json, played)
        if options.junit:
            write_junit(
                options.junit,
                suite="ocs-sim traps",
                elapsed_s=played.elapsed_s,
                expectations=played.expectations,
            )
        return 0 if all(expectation.met for expectation in played.expectations) else 1


def chosen_target(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``.

    Raises:
        SetupError: it is something else.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise SetupError(f"--target must be HOST:PORT, not {text!r}")
    return host, int(port)


def chosen_speech(options: argparse.Namespace) -> Speech:
    """How elements speak.

    Raises:
        SetupError: options that do not go together. OSError: a password cannot be read.
    """
    if options.count < 1 or options.duration < 0 or options.patience <= 0:
        raise SetupError("--count and --patience must be more than 0, --duration not less")
    if options.informs and options.version != V2C:
        raise SetupError("--informs are of version 2c here")
    if options.privacy_file and not options.authentication_file:
        raise SetupError("--privacy-file needs --authentication-file (RFC 3411 section 3.4.3)")

    def password(path: Path | None) -> str:
        return path.read_text(encoding="utf-8").rstrip("\n") if path else ""

    user = User(options.user, password(options.authentication_file), password(options.privacy_file))
    return Speech(options.version, options.community, user, options.informs)


def describe(played: Played) -> str:
    """The summary for people."""
    sent = played.sent
    lines = [
        f"traps: {played.scenario}, seed {played.seed}, {played.elapsed_s:.1f} s",
        f"  sent: {sent.sent}, again: {sent.repeated}, acknowledged: {sent.acknowledged}",
    ]
    for expectation in played.expectations:
        lines.append(f"  {'ok    ' if expectation.met else 'FAILED'} {expectation.name}")
        lines += [f"         {failure}" for failure in expectation.failures[:_FAULTS_SHOWN]]
        if expectation.failed > _FAULTS_SHOWN:
            lines.append(f"         and {expectation.failed - _FAULTS_SHOWN} more")
    return "\n".join(lines) + "\n"
