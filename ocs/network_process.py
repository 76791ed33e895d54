"""The network process: SNMP notifications become alarms.

One such process at a time owns the alarm list; another on the same store stands by and takes over when the owner is
silent. What it holds in memory follows from the store, so losing the list means to open it again.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio

from ocs.balance.barrier import Barrier
from ocs.balance.redis_store import RedisStore
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store_admin import connect
from ocs.balance.store_identity import StoreIdentity
from ocs.children import say_ready, stop_when_orphaned
from ocs.clock import SystemClock
from ocs.faults.alarm_owner import AlarmOwner, Meaning, SnmpAccess
from ocs.faults.book.policy_file import load_policy
from ocs.faults.mibs import open_mib_names
from ocs.faults.receiver.udp import address_text, bind_snmp
from ocs.faults.rules import load_rules, rules_of
from ocs.faults.snmp.usm import UsmUser
from ocs.faults.store.alarm_store import AlarmStore
from ocs.faults.store.owner_identity import own_identity
from ocs.faults.store.trimming import ChangeTrimmer, keep_trimmed
from ocs.faults.supervision.supervised import RESYNC_QUESTION, Supervised, load_supervised
from ocs.garbage import collect_seldom
from ocs.launch import Launch, prepare_patiently, stop_on_signal
from ocs.log import get_logger
from ocs.metrics import REGISTRY, add_process_metrics
from ocs.network_topology import open_topology, policy_folder
from ocs.secret_file import read_secret_file
from ocs.settings import Settings, resolve_path
from ocs.settings_checks import is_loopback
from ocs.settings_file import SettingsError
from ocs.store_setup import PreparedStore, guard_of, prepare_store, reload_functions, store_url
from ocs.worker_channel import serve_worker_channel

log = get_logger(__name__)


async def run_network(settings: Settings, launch: Launch, listen_fd: int | None) -> None:
    """Serve until SIGTERM, or until the parent is gone.

    Args:
        listen_fd: the trap socket that our parent has bound; None binds one of our own.

    Raises:
        SettingsError: no traps are taken. OSError: the port cannot be bound.
        RulesError, TopologyError, MibError: one line that names the file.
        StoreRefusedError: one line with the remedy.
    """
    bound = bind_snmp(settings.snmp) if listen_fd is None else socket.socket(fileno=listen_fd)
    if bound is None:
        raise SettingsError("snmp.port: -1 takes no traps, and this process does nothing else")
    with bound:
        url = await trio.to_thread.run_sync(store_url, settings, launch.data_dir)
        prepared = await prepare_patiently(
            partial(prepare_store, settings, url, SystemClock(), may_create=listen_fd is None)
        )
        meaning = await trio.to_thread.run_sync(_read_meaning, settings, launch.data_dir)
        store = _connect(settings, prepared)
        owner = AlarmOwner(
            AlarmStore(store, own_identity(settings.diameter.origin_host)),
            bound,
            _access(settings),
            meaning,
            clock=SystemClock(),
            beside=partial(_trim_changes, prepared),
        )

        def ready() -> None:
            address = f"snmp={address_text(bound)}"
            if launch.ready_fd is not None:
                say_ready(launch.ready_fd, address)
            else:
                print(f"ready {address}", flush=True)  # noqa: T201 - the contract with tools

        await _serve(launch, store, owner, ready, meaning.supervised)


async def _serve(
    launch: Launch,
    store: RedisStore,
    owner: AlarmOwner,
    ready: Callable[[], None],
    supervised: Supervised,
) -> None:
    """Run until somebody stops us; a node that stands by is ready too."""
    add_process_metrics("network")
    answers: dict[str, Callable[[], Any]] = {
        "metrics": REGISTRY.snapshot,
        "peers": list,
        "health": lambda: {
            "store": not store.trouble,
            "store_fault": store.trouble,
            "note": owner.standing,
        },
    }
    async with trio.open_nursery() as nursery:
        working = trio.CancelScope()
        nursery.start_soon(stop_on_signal, working.cancel)
        if launch.lifeline_fd is not None:
            nursery.start_soon(stop_when_orphaned, launch.lifeline_fd, working.cancel)
        with working:
            await nursery.start(store.run)
            path = launch.data_dir / "run" / "network.sock"
            await nursery.start(serve_worker_channel, path, answers, _errands(owner, supervised))
            collect_seldom()
            ready()
            await owner.run()
        nursery.cancel_scope.cancel()


def _errands(owner: AlarmOwner, supervised: Supervised) -> dict[str, Callable[[], Awaitable[Any]]]:
    """What takes its time: to ask an element what stands there."""
    return {f"{RESYNC_QUESTION}{element}": partial(owner.look_up, element) for element in supervised.agents}


def _read_meaning(settings: Settings, data_dir: Path) -> Meaning:
    """Read the operator's files; blocks."""
    faults = settings.faults
    topology = open_topology(settings, data_dir)
    names = open_mib_names(data_dir / faults.mibs)
    folder = resolve_path(settings, faults.rules)
    if folder.is_dir():
        rules = load_rules(folder, names, element_of=topology.element_of)
    else:
        rules = rules_of({}, names, element_of=topology.element_of)
        log.warning(
            "no_alarm_rules",
            folder=str(folder),
            remedy="every trap becomes an unknown-trap alarm: name the folder with rules in faults.rules",
        )
    policy = load_policy(policy_folder(settings))
    supervised = load_supervised(topology.elements.values(), settings, names)
    return Meaning(rules, topology, policy, supervised)


async def _trim_changes(prepared: PreparedStore) -> None:
    """Bound the stream of changes for as long as the list is ours: who follows it may be away."""
    client = await trio.to_thread.run_sync(connect, prepared.address)
    try:
        await keep_trimmed(ChangeTrimmer(client), SystemClock())
    finally:
        client.close()


def _connect(settings: Settings, prepared: PreparedStore) -> RedisStore:
    """The store as workers have it: the same barrier, the same guard, the same way after a failover."""
    return RedisStore(
        StoreServers(prepared.address),
        partitions=prepared.meta.partitions,
        barrier=Barrier.from_settings(settings.store),
        reload_library=partial(reload_functions, prepared),
        identity=StoreIdentity(prepared.meta, lambda _: None),
        guard=guard_of(prepared, settings),
    )


def _access(settings: Settings) -> SnmpAccess:
    """Who may tell us something, with their secrets read."""
    snmp = settings.snmp

    def secret(file: str) -> bytes:
        return read_secret_file(resolve_path(settings, file)).encode() if file else b""

    users = tuple(
        UsmUser(
            user.name,
            authentication=user.authentication,
            authentication_password=secret(user.authentication_file),
            privacy=user.privacy,
            privacy_password=secret(user.privacy_file),
        )
        for user in snmp.users
    )
    communities = frozenset(secret(snmp.communities_file).split(b"\n"))
    everybody = not snmp.communities_file and is_loopback(snmp.host)
    proxies = [ipaddress.ip_network(network) for network in snmp.trusted_proxies]
    return SnmpAccess(
        engine_id=bytes.fromhex(snmp.engine_id),
        users=users,
        accepts_community=lambda community: everybody or (community != b"" and community in communities),
        is_proxy=lambda address: any(ipaddress.ip_address(address) in network for network in proxies),
        per_source_s=snmp.traps_per_source_per_s,
    )
