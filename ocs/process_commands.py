"""``ocs reload|peer``: what an operator does to the running processes and to the gateways that they serve."""

import argparse
import json
from functools import partial
from typing import Any, Final

import msgspec
import trio
from rich.console import Console
from rich.table import Column, Table

from ocs.diameter_gy.base_commands import DisconnectCause
from ocs.diameter_gy.server import PeerSnapshot
from ocs.launch import Launch
from ocs.limits import NOTICE_TIMEOUT_S, RELOAD_TIMEOUT_S
from ocs.peer_notices import DISCONNECT_PEER, Acknowledgement, Notice, PeerNotices, notice_opener
from ocs.reload import ReloadOutcome
from ocs.settings import Settings
from ocs.settings_file import SettingsError
from ocs.store_setup import store_address, store_url
from ocs.subscribers.operations import OperationError
from ocs.worker_channel import WorkerChannel, WorkerSilentError, ask_all, find_workers

_CAUSES: Final = {
    "rebooting": DisconnectCause.REBOOTING,
    "busy": DisconnectCause.BUSY,
    "do-not-want-to-talk": DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU,
}
# Seven columns, one of them with a DiameterIdentity: 255 octets at most.
_TABLE_COLUMNS_MAX: Final = 512
_decode_peers: Final = msgspec.msgpack.Decoder(list[PeerSnapshot]).decode


class NotRunningError(Exception):
    """Nothing runs on the data folder that could be asked; ``str()`` is one line with the remedy."""


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``reload`` and ``peer`` to the command line."""
    reload = commands.add_parser(
        "reload",
        parents=[common],
        help="have `ocs up` read its configuration anew and replace its workers one by one, without a refused request",
    )
    reload.set_defaults(run=_reload)
    peer = commands.add_parser("peer", help="list gateways, or send one away").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = peer.add_parser("list", parents=[common], help="list the connections of all workers here")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list_peers)
    disconnect = peer.add_parser(
        "disconnect",
        parents=[common],
        help="take leave of a peer (DPR) on all its connections, whichever worker or machine holds them",
    )
    disconnect.add_argument("origin_host", metavar="ORIGIN_HOST")
    disconnect.add_argument(
        "--cause",
        choices=tuple(_CAUSES),
        default="rebooting",
        help="rebooting: it comes back at once (default); busy, do-not-want-to-talk: it should stay away",
    )
    disconnect.set_defaults(run=_disconnect)


# --- Reload -------------------------------------------------------------------------------------------------


def _reload(options: argparse.Namespace) -> None:
    # Not our reading of the configuration: `ocs up` reads its own, and says what is wrong with it.
    _, launch = _open(options)
    channel = WorkerChannel("up", launch.data_dir / "run" / "up.sock")
    try:
        trio.run(channel.ask, "health")
    except WorkerSilentError:
        raise NotRunningError(
            f"{launch.data_dir}: no `ocs up` runs on this data folder: start it, or name the folder with --data-dir"
        ) from None
    try:
        answer = trio.run(partial(channel.ask, "reload", timeout_s=RELOAD_TIMEOUT_S))
    except WorkerSilentError as error:
        raise NotRunningError(f"`ocs up` does not say how the reload ended ({error}): see its log") from None
    outcome = msgspec.msgpack.decode(answer, type=ReloadOutcome)
    if outcome.refused:
        raise SettingsError(outcome.refused)
    if outcome.failed:
        raise OperationError(
            f"replaced {', '.join(outcome.replaced)}; the next worker did not come up, and the others go on as they"
            f" were: {outcome.failed}"
        )
    print(f"replaced {', '.join(outcome.replaced)}")
    if outcome.retired:
        print(f"ended {', '.join(outcome.retired)}")


def _open(options: argparse.Namespace) -> tuple[Settings, Launch]:
    return options.open(options)


# --- Peers --------------------------------------------------------------------------------------------------


def _list_peers(options: argparse.Namespace) -> None:
    _, launch = _open(options)
    found, silent = trio.run(_ask_peers, launch)
    if not found and not silent:
        raise NotRunningError(
            f"{launch.data_dir}: no worker runs on this data folder: start `ocs up`, or name the folder with --data-dir"
        )
    rows = [(worker, peer) for worker, peers in found.items() for peer in peers]
    rows.sort(key=lambda row: (row[1].origin_host, row[0], row[1].remote))
    if options.json:
        connections = [{"worker": worker, **msgspec.structs.asdict(peer)} for worker, peer in rows]
        print(json.dumps({"connections": connections, "silent_workers": silent}, indent=2))
        return
    if not rows:
        print("\n".join(("no gateway is connected", *silent)))
        return
    headings = ("peer", "worker", "remote", "state", "watchdog", "requests", "errors")
    table = Table(*(Column(heading, no_wrap=True) for heading in headings))
    for worker, peer in rows:
        remote = f"{peer.remote} (TLS)" if peer.tls else peer.remote
        cells = (peer.origin_host or "(not known yet)", worker, remote, peer.state, peer.watchdog)
        table.add_row(*cells, str(peer.requests), str(peer.errors))
    # Literal: names come from the network, and a style in one of them is none of ours. As wide as it must be: a name
    # that is broken over two lines can be neither searched for nor copied.
    console = Console(soft_wrap=True, markup=False, highlight=False, emoji=False)
    needed = console.measure(table, options=console.options.update(max_width=_TABLE_COLUMNS_MAX)).maximum
    console.width = max(console.width, needed)
    console.print(table)
    for reason in silent:
        console.print(reason)


async def _ask_peers(launch: Launch) -> tuple[dict[str, list[PeerSnapshot]], list[str]]:
    """Connections by worker, and why some workers said nothing."""
    found: dict[str, list[PeerSnapshot]] = {}
    silent: list[str] = []
    for name, answer in (await ask_all(await find_workers(launch.data_dir / "run"), "peers")).items():
        if isinstance(answer, WorkerSilentError):
            silent.append(str(answer))
            continue
        try:
            found[name] = _decode_peers(answer)
        except msgspec.DecodeError:
            silent.append(f"{name}: it speaks another release's language")
    return found, silent


def _disconnect(options: argparse.Namespace) -> None:
    settings, launch = _open(options)
    address = store_address(settings, store_url(settings, launch.data_dir))
    notices = PeerNotices(notice_opener(address), "cli", {})
    notice = Notice(DISCONNECT_PEER, options.origin_host, msgspec.msgpack.encode(_CAUSES[options.cause]))
    acted = [one for one in trio.run(_publish, notices, notice) if one.acted]
    if not acted:
        raise OperationError(
            f"no worker has an open connection of {options.origin_host!r} (asked for {NOTICE_TIMEOUT_S:g} s):"
            " `ocs peer list` shows those of this data folder"
        )
    for one in sorted(acted, key=lambda one: one.member):
        print(f"{one.member}: sent Disconnect-Peer on {one.acted} connection{'s' if one.acted > 1 else ''}")


async def _publish(notices: PeerNotices, notice: Notice) -> tuple[Acknowledgement, ...]:
    async with trio.open_nursery() as nursery:
        await nursery.start(notices.run)
        told = await notices.publish(notice)
        nursery.cancel_scope.cancel()
    return told
