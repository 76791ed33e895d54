"""``ocs session reauthorise|abort``: ask the gateways of live sessions to come again, or to end them."""

import argparse
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import redis
import trio

from ocs.balance.client import BalanceClient
from ocs.balance.model import Session, SessionState
from ocs.diameter_gy.session_demand import DemandKind, SessionDemand
from ocs.peer_notices import NoticesUnavailableError, PeerNotices, notice_opener
from ocs.reauthoriser import Reauthoriser, Told, demands_after, demands_on
from ocs.settings import Settings
from ocs.store_setup import open_client, store_address, store_url
from ocs.subscribers.office import AccountChange
from ocs.subscribers.operations import OperationError

# With --all: a worker serves some thousands of requests a second, and the gateways' own come besides.
PER_SECOND: Final = 500
PickDemands = Callable[[list[Session]], list[SessionDemand]]
_VERBS: Final = {DemandKind.REAUTHORISE: "asked to re-authorise", DemandKind.ABORT: "asked to end"}


def add_commands(
    session: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``reauthorise`` and ``abort`` to ``ocs session``."""
    again = session.add_parser(
        "reauthorise", parents=[common], help="have the gateway report and ask for credit again (RAR)"
    )
    _add_session_options(again)
    again.add_argument(
        "--rating-group", type=int, action="append", default=[], help="only this one; may be repeated"
    )
    again.set_defaults(run=_demand, kind=DemandKind.REAUTHORISE)
    end = session.add_parser("abort", parents=[common], help="have the gateway end the session (ASR)")
    _add_session_options(end)
    end.set_defaults(run=_demand, kind=DemandKind.ABORT, rating_group=[])


def _add_session_options(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("session_id", nargs="?", help="the session")
    which.add_argument("--account", dest="account_id", help="all open sessions of this account")
    which.add_argument("--all", action="store_true", help="all open sessions, as after a change of prices")
    parser.add_argument(
        "--per-second",
        type=rate_a_second,
        default=PER_SECOND,
        help=f"with --all: no faster (default {PER_SECOND})",
    )


def rate_a_second(text: str) -> int:
    """A number of demands a second, as an option of the command line."""
    rate = int(text)
    if rate < 1:
        raise ValueError
    return rate


def tell_at_once(settings: Settings, data_dir: Path) -> Callable[[str, AccountChange], None]:
    """What a command gives :class:`~ocs.subscribers.service.SubscriberService` as ``on_change``.

    It waits until workers have taken the demands on; that it failed is said on stderr and is no failure of the command.
    """
    client = open_client(settings, data_dir)

    def tell(account_id: str, change: AccountChange) -> None:
        try:
            demands = demands_after(client, account_id, change)
            told = _pass_on(settings, data_dir, client, demands) if demands else Told(0, ())
        except (redis.RedisError, OSError, NoticesUnavailableError) as error:
            print(f"the gateways of {account_id} were not told: {error}", file=sys.stderr)
            return
        for origin_host in told.unreachable:
            print(f"{origin_host} was not told: no worker has a connection to it", file=sys.stderr)

    return tell


def _pass_on(settings: Settings, data_dir: Path, client: BalanceClient, demands: list[SessionDemand]) -> Told:
    """Have workers take demands on; waits until they have, or could not.

    Raises:
        NoticesUnavailableError: the store takes no notices.
    """

    async def deliver(reauthoriser: Reauthoriser) -> Told:
        return await reauthoriser.demand(demands)

    return _with_workers(settings, data_dir, client, deliver)


def _with_workers(
    settings: Settings,
    data_dir: Path,
    client: BalanceClient,
    work: Callable[[Reauthoriser], Awaitable[Told]],
) -> Told:
    notices = PeerNotices(notice_opener(store_address(settings, store_url(settings, data_dir))), "cli", {})

    async def run() -> Told:
        async with trio.open_nursery() as nursery:
            await nursery.start(notices.run)
            told = await work(Reauthoriser(client, notices))
            nursery.cancel_scope.cancel()
        return told

    return trio.run(run)


def _demand(options: argparse.Namespace) -> None:
    settings, launch = options.open(options)
    client = open_client(settings, launch.data_dir)
    if options.all:
        pick = partial(demands_on, kind=options.kind, rating_groups=tuple(options.rating_group))
        told = demand_open_sessions(settings, launch.data_dir, client, pick, options.per_second)
    else:
        demands = demands_on(_sessions(client, options), options.kind, tuple(options.rating_group))
        if not demands:
            raise OperationError("no open session has such a rating group")
        told = _pass_on(settings, launch.data_dir, client, demands)
    if told.unreachable:
        raise OperationError(
            f"no worker has a connection that leads to {', '.join(told.unreachable)}: see `ocs peer list`"
        )
    print(f"{told.passed_on} session{'' if told.passed_on == 1 else 's'}: gateway {_VERBS[options.kind]}")


def demand_open_sessions(
    settings: Settings, data_dir: Path, client: BalanceClient, pick: PickDemands, per_s: int = PER_SECOND
) -> Told:
    """Go through all open sessions and have workers take on what is picked.

    Args:
        pick: what the gateways of some sessions are asked; it may read the store.
        per_s: demands a second: no faster shall the gateways come back.

    Raises:
        NoticesUnavailableError: the store takes no notices.
    """

    def look(cursor: int) -> tuple[int, list[SessionDemand]]:
        cursor, page = client.scan_sessions(cursor, per_s)
        return cursor, pick([session for session in page if session.state is SessionState.OPEN])

    async def deliver(reauthoriser: Reauthoriser) -> Told:
        passed_on, unreachable, cursor, is_first = 0, set[str](), 0, True
        while cursor or is_first:
            is_first = False
            cursor, demands = await trio.to_thread.run_sync(look, cursor)
            if demands:
                told = await reauthoriser.demand(demands)
                passed_on += told.passed_on
                unreachable.update(told.unreachable)
                await trio.sleep(len(demands) / per_s)
        return Told(passed_on, tuple(sorted(unreachable)))

    return _with_workers(settings, data_dir, client, deliver)


def _sessions(client: BalanceClient, options: argparse.Namespace) -> list[Session]:
    if options.account_id:
        found = client.open_sessions(options.account_id)
        if not found:
            raise OperationError(f"account {options.account_id!r} has no open session")
        return found
    session = client.session(options.session_id)
    if session is None or session.state is not SessionState.OPEN:
        raise OperationError(f"there is no open session {options.session_id!r}")
    return [session]
