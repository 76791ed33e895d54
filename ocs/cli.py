"""The ``ocs`` command: run the system, or look at accounts and sessions and top them up."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import msgspec
import structlog
import trio

from ocs import admin_commands
from ocs.app import Launch, run_charging, run_up
from ocs.balance.client import StoreBusyError
from ocs.balance.embedded import EmbeddedStoreError
from ocs.balance.store_admin import StoreRefusedError
from ocs.children import ChildFailedError
from ocs.diameter_gy.policy import PolicyError
from ocs.diameter_gy.tls import TlsSettingsError
from ocs.log import configure_logging
from ocs.rating import CatalogueError
from ocs.settings import Settings
from ocs.settings_file import SecretFileError, SettingsError, load_settings, resolve_path
from ocs.subscribers.operations import OperationError
from ocs.units import AmountError, CurrencyMismatchError

# What a user can put right: one line on stderr, no traceback.
_USER_ERRORS: Final = (
    AmountError,
    CatalogueError,
    ChildFailedError,
    CurrencyMismatchError,
    EmbeddedStoreError,
    OperationError,
    OSError,
    PolicyError,
    SecretFileError,
    SettingsError,
    StoreBusyError,
    StoreRefusedError,
    TlsSettingsError,
)
EXIT_CONFIGURATION: Final = 2
EXIT_REFUSED: Final = 1


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 refused, 2 a wrong argument or configuration."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except BaseExceptionGroup as group:
        known, unknown = group.split(_USER_ERRORS)
        if unknown is not None or known is None:
            raise
        _fail(_first(known))
    except _USER_ERRORS as error:
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _fail(error: BaseException) -> NoReturn:
    """One line for the user; details of what we do not know how to explain stay in the log."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    print(f"ocs: {text}", file=sys.stderr)  # noqa: T201 - a command speaks to its user
    is_refusal = isinstance(error, OperationError | StoreBusyError | CurrencyMismatchError | AmountError)
    sys.exit(EXIT_REFUSED if is_refusal else EXIT_CONFIGURATION)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ocs", description="Online charging: run it, look into it, top up.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = _common_options()
    up = commands.add_parser("up", parents=[common, _log_options()], help="run everything on this machine")
    up.set_defaults(run=_up)
    charging = commands.add_parser(
        "charging", parents=[common, _log_options(), _child_options()], help="run one charging worker alone"
    )
    charging.add_argument("--number", type=int, default=0, help="which worker this is (default 0)")
    charging.add_argument("--listen-fds", default="", help=argparse.SUPPRESS)
    charging.set_defaults(run=_charging)
    http = commands.add_parser(
        "http", parents=[common, _log_options(), _child_options()], help="run the HTTP process alone"
    )
    http.set_defaults(run=_http)
    admin_commands.add_commands(commands, common)
    return parser


def _common_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--config", type=Path, default=None, help="configuration file (default config/ocs.toml where it exists)"
    )
    options.add_argument("--data-dir", type=Path, default=None, help="folder of this system's data ([store] data_dir)")
    options.set_defaults(open=_open)
    return options


def _log_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--log", choices=("json", "console"), default="json", help="style of log lines on stderr")
    return options


def _child_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--lifeline-fd", type=int, default=None, help=argparse.SUPPRESS)
    options.add_argument("--ready-fd", type=int, default=None, help=argparse.SUPPRESS)
    return options


def _open(options: argparse.Namespace) -> tuple[Settings, Launch]:
    """Settings and launch parameters from the command line; ``--data-dir`` wins over the file."""
    config: Path | None = options.config
    if config is None and Path("config/ocs.toml").is_file():
        config = Path("config/ocs.toml")
    settings = load_settings(config, os.environ)
    if options.data_dir is not None:
        data_dir: Path = options.data_dir.absolute()
        settings = msgspec.structs.replace(
            settings, store=msgspec.structs.replace(settings.store, data_dir=str(data_dir))
        )
    launch = Launch(
        config=None if config is None else config.absolute(),
        data_dir=resolve_path(settings, settings.store.data_dir).resolve(),
        log_style=getattr(options, "log", "json"),
        lifeline_fd=getattr(options, "lifeline_fd", None),
        ready_fd=getattr(options, "ready_fd", None),
    )
    return settings, launch


def _serve(options: argparse.Namespace, service: Callable[..., object], process: str, *rest: object) -> None:
    settings, launch = _open(options)
    configure_logging(settings.log, style=launch.log_style)  # type: ignore[arg-type]
    structlog.contextvars.bind_contextvars(process=process)
    trio.run(partial(service, settings, launch, *rest))  # type: ignore[arg-type]


def _up(options: argparse.Namespace) -> None:
    _serve(options, run_up, "up")


def _charging(options: argparse.Namespace) -> None:
    _serve(options, run_charging, f"worker-{options.number}", options.number, options.listen_fds)


def _http(options: argparse.Namespace) -> None:
    from ocs.http_process import run_http_process  # noqa: PLC0415 - its libraries burden this process alone

    _serve(options, run_http_process, "http")
