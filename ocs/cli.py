"""The ``ocs`` command: run the system, or look at accounts and sessions and top them up."""

import argparse
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Final, NoReturn, cast

import msgspec
import structlog
import trio

from ocs.children import say_failed
from ocs.launch import Launch
from ocs.log import configure_logging
from ocs.reload import ignore_reload_signal
from ocs.settings import Settings, resolve_path
from ocs.settings_file import SettingsError, load_settings, restore_settings

# The modules that add commands, in the order of `ocs --help`, and the commands of each. Only the module of the command
# that was asked for is loaded: all of them would cost every command, and every process of `ocs up`, half its start.
COMMANDS: Final = {
    "ocs.account_commands": ("account", "topup", "session", "offer"),
    "ocs.alarm_commands": ("alarms",),
    "ocs.catalogue_commands": ("catalogue",),
    "ocs.fault_commands": ("faults",),
    "ocs.inventory_commands": ("inventory",),
    "ocs.provision_commands": ("provision",),
    "ocs.config_commands": ("config",),
    "ocs.store_commands": ("verify", "backup", "restore"),
    "ocs.process_commands": ("reload", "peer"),
    "ocs.sql_commands": ("sql",),
    "ocs.maintenance_commands": ("maintenance",),
    "ocs.token_commands": ("token",),
    "ocs.voucher_commands": ("voucher",),
}
EXIT_CONFIGURATION: Final = 2
EXIT_REFUSED: Final = 1
EXIT_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 refused, 2 a wrong argument or configuration."""
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser(next(iter(words), "")).parse_args(words)
    try:
        options.run(options)
        sys.stdout.flush()
    except BaseExceptionGroup as group:
        _fail(_explained(group), options)
    except BrokenPipeError:
        # Whoever read us has seen enough (`ocs account list | head`); nothing is left to be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if not _is_the_users(error):
            raise
        _fail(error, options)
    sys.exit(0)


def _is_the_users(error: BaseException) -> bool:
    # Every room has errors of its own: only now that something has failed are they worth loading.
    from ocs.user_errors import USER_ERRORS

    return isinstance(error, USER_ERRORS)


def _explained(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group, if a user can put all of them right; else the group is raised again."""
    errors = list(_leaves(group))
    if any(isinstance(error, KeyboardInterrupt) for error in errors):
        sys.exit(EXIT_INTERRUPTED)
    if not all(map(_is_the_users, errors)):
        raise group
    return errors[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[BaseException]", error))
        else:
            yield error


def _fail(error: BaseException, options: argparse.Namespace) -> NoReturn:
    """One line for the user; a child of `ocs up` hands it to its parent, which tells the user once."""
    from ocs.user_errors import REFUSALS

    text = " ".join(_text_of(error).split())
    ready_fd: int | None = getattr(options, "ready_fd", None)
    if ready_fd is None or not say_failed(ready_fd, text):
        print(f"ocs: {text}", file=sys.stderr)
    sys.exit(EXIT_REFUSED if isinstance(error, REFUSALS) else EXIT_CONFIGURATION)


def _text_of(error: BaseException) -> str:
    import redis

    if isinstance(error, redis.RedisError):
        return f"the store failed: {error}"
    if isinstance(error, OSError) and error.strerror is not None:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with an argument in one line, as every other error is said."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_CONFIGURATION, f"{self.prog}: {message}; `{self.prog} --help` explains\n")


def _parser(word: str) -> _Parser:
    """The command line, as far as the command that was asked for needs it."""
    parser = _Parser(prog="ocs", description="Online charging: run it, look into it, top up.")
    parser.add_argument("--version", action="version", version=f"ocs {version('ocs-bss')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = _common_options()
    up = commands.add_parser("up", parents=[common, _log_options()], help="run everything on this machine")
    up.set_defaults(run=_up)
    charging = commands.add_parser(
        "charging", parents=[common, _log_options(), _child_options()], help="run one charging worker alone"
    )
    charging.add_argument(
        "--number", type=int, default=None, help="which worker this is (default: the first free number)"
    )
    charging.add_argument("--listen-fds", default="", help=argparse.SUPPRESS)
    charging.add_argument("--takes-over", action="store_true", help=argparse.SUPPRESS)
    charging.set_defaults(run=_charging)
    http = commands.add_parser(
        "http", parents=[common, _log_options(), _child_options()], help="run the HTTP process alone"
    )
    http.set_defaults(run=_http)
    network = commands.add_parser(
        "network",
        parents=[common, _log_options(), _child_options()],
        help="run the network process alone: traps",
    )
    network.add_argument("--listen-fd", type=int, default=None, help=argparse.SUPPRESS)
    network.set_defaults(run=_network)
    followers = commands.add_parser(
        "followers",
        parents=[common, _log_options(), _child_options()],
        help="run the followers process alone: the history of alarms, notices to people",
    )
    followers.set_defaults(run=_followers)
    elements = commands.add_parser(
        "elements",
        parents=[common, _log_options(), _child_options()],
        help="run the element process alone: it configures network elements",
    )
    elements.set_defaults(run=_elements)
    known = {*commands.choices}.union(*COMMANDS.values())
    for module, names in COMMANDS.items():
        # Whoever asks for no command of ours is told all of them.
        if word in names or word not in known:
            import_module(module).add_commands(commands, common)
    return parser


def _common_options() -> _Parser:
    options = _Parser(add_help=False)
    options.add_argument(
        "--config",
        type=Path,
        default=None,
        help="configuration file (default config/ocs.toml where it exists)",
    )
    options.add_argument(
        "--data-dir", type=Path, default=None, help="folder of this system's data ([store] data_dir)"
    )
    options.set_defaults(open=_open)
    return options


def _log_options() -> _Parser:
    options = _Parser(add_help=False)
    options.add_argument(
        "--log", choices=("json", "console"), default="json", help="style of log lines on stderr"
    )
    return options


def _child_options() -> _Parser:
    options = _Parser(add_help=False)
    options.add_argument("--lifeline-fd", type=int, default=None, help=argparse.SUPPRESS)
    options.add_argument("--settings-stdin", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("--ready-fd", type=int, default=None, help=argparse.SUPPRESS)
    return options


def _open(options: argparse.Namespace) -> tuple[Settings, Launch]:
    """Settings and launch parameters from the command line; ``--data-dir`` wins over the file."""
    config: Path | None = options.config
    if config is None and Path("config/ocs.toml").is_file():
        config = Path("config/ocs.toml")
    if getattr(options, "settings_stdin", False):
        settings = restore_settings(sys.stdin.buffer.read(), os.environ)
    else:
        settings = load_settings(config, os.environ)
    named: Path | None = options.data_dir
    data_dir = resolve_path(settings, settings.store.data_dir) if named is None else named
    # As a whole path, so that a reload finds the same words whichever way the folder was named.
    data_dir = data_dir.resolve()
    settings = msgspec.structs.replace(
        settings, store=msgspec.structs.replace(settings.store, data_dir=str(data_dir))
    )
    launch = Launch(
        config=None if config is None else config.absolute(),
        data_dir=data_dir,
        log_style=getattr(options, "log", "json"),
        lifeline_fd=getattr(options, "lifeline_fd", None),
        ready_fd=getattr(options, "ready_fd", None),
    )
    return settings, launch


def _serve(
    options: argparse.Namespace, service: Callable[..., Awaitable[object]], process: str, *rest: object
) -> None:
    settings, launch = _open(options)
    configure_logging(settings.log, style=launch.log_style)  # type: ignore[arg-type]
    structlog.contextvars.bind_contextvars(process=process)
    trio.run(_run_service, partial(service, settings, launch, *rest))


async def _run_service(service: Callable[[], Awaitable[object]]) -> None:
    """Run a service that a hangup signal does not end."""
    async with trio.open_nursery() as nursery:
        await nursery.start(ignore_reload_signal)
        await service()
        nursery.cancel_scope.cancel()


def _up(options: argparse.Namespace) -> None:
    from ocs.app import run_up

    _serve(options, run_up, "up")


def _charging(options: argparse.Namespace) -> None:
    from ocs.app import WorkerPlace, run_charging

    place = WorkerPlace(options.number, options.listen_fds, options.takes_over)
    _serve(options, run_charging, "worker", place)


def _http(options: argparse.Namespace) -> None:
    # The libraries of HTTP burden this process alone.
    from ocs.api.server import HttpAddressError
    from ocs.http_process import run_http_process

    try:
        _serve(options, run_http_process, "http")
    except BaseExceptionGroup as group:
        taken = group.subgroup(HttpAddressError)
        if taken is None:
            raise
        raise SettingsError(str(next(_leaves(taken)))) from None


def _network(options: argparse.Namespace) -> None:
    # The libraries of SNMP burden this process alone.
    from ocs.network_process import run_network

    _serve(options, run_network, "network", options.listen_fd)


def _followers(options: argparse.Namespace) -> None:
    # The libraries of SQL burden this process and the administration alone.
    from ocs.followers_process import run_followers

    _serve(options, run_followers, "followers")


def _elements(options: argparse.Namespace) -> None:
    # The libraries of SSH and YANG burden this process and the administration alone.
    from ocs.element_process import run_elements

    _serve(options, run_elements, "elements")
