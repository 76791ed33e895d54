"""The ``ocs-sim`` command: runs a simulator by name.

Exit status: 0 when every expectation held, 1 when one did not, 2 when the command line or the set-up is wrong.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final, Protocol

from simulators.element.command import ElementCommand
from simulators.gateway.command import GatewayCommand
from simulators.traps.command import TrapsCommand


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the default of every option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, "") else super()._get_help_string(action)


class Simulator(Protocol):
    """One simulator as a subcommand."""

    name: str
    summary: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options."""
        ...

    def run(self, options: argparse.Namespace) -> int:
        """Run it and print its summary.

        Returns:
            The exit status.
        """
        ...


SIMULATORS: Final[tuple[Simulator, ...]] = (GatewayCommand(), TrapsCommand(), ElementCommand())


def parser() -> argparse.ArgumentParser:
    """The command line with all simulators."""
    arguments = argparse.ArgumentParser(
        prog="ocs-sim", description="Simulators of the network around the online charging system."
    )
    names = arguments.add_subparsers(dest="simulator", required=True, metavar="SIMULATOR")
    for simulator in SIMULATORS:
        own = names.add_parser(
            simulator.name,
            help=simulator.summary,
            description=simulator.summary,
            formatter_class=_HelpFormatter,
        )
        simulator.add_arguments(own)
        own.set_defaults(run=simulator.run)
    return arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator that the command line names."""
    options = parser().parse_args(arguments)
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
