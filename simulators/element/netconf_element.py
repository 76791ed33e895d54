"""An element with a NETCONF server."""

import asyncio
from collections.abc import Iterable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncssh

from simulators.element import notices
from simulators.element.datastores import OUTSIDE, PROFILES, Datastores, Pending, Profile
from simulators.element.errors import Dialect
from simulators.element.faults import Fault
from simulators.element.memory import Memory
from simulators.element.model import Model, Tree
from simulators.element.netconf_channel import NetconfChannel
from simulators.element.network_element import NetworkElement
from simulators.element.operations import Client, Operations
from simulators.element.tree import Element, Flat, changes, flatten, with_path, without_path

_CONSOLE = "console"


class NetconfElement(NetworkElement):
    """A NETCONF server with running, candidate and startup.

    Configurations go in and out as flat mappings: instance identifiers as in RFC 7951 section 6.11 to values, None
    for what has no value.

    Attributes:
        clock_skew_s: how far the clock in its notifications is ahead.
    """

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        memory: Memory,
        model: Model,
        *,
        profile: Profile | str = "candidate",
        dialect: Dialect = Dialect.STANDARD,
        running: Flat | None = None,
        **ssh: Any,
    ) -> None:
        super().__init__(name, loop, memory, **ssh)
        self.model = model
        self.profile = PROFILES[profile] if isinstance(profile, str) else profile
        self.clock_skew_s = 0.0
        self._dialect = dialect
        self._first = dict(running or {})
        self._channels: dict[int, NetconfChannel] = {}
        self._session_ids = 0
        self._state: Tree = {}
        self._timer: asyncio.TimerHandle | None = None
        self._kept: tuple[object, ...] = ()
        self.operations = self._wake_up()

    # --- for tests and stories -----------------------------------------------------------------------------------

    def running(self) -> dict[str, str | None]:
        """What is running."""
        return self.call(lambda: flatten(self.model, self._stores.running))

    def candidate(self) -> dict[str, str | None]:
        """What is in the candidate."""
        return self.call(lambda: flatten(self.model, self._stores.candidate))

    def startup(self) -> dict[str, str | None]:
        """What it starts with."""
        return self.call(lambda: flatten(self.model, self._stores.startup))

    def change(self, values: Flat, removed: Iterable[str] = (), *, user: str = _CONSOLE) -> None:
        """Change the running configuration as somebody at the console does, past locks and candidate.

        Raises:
            PathError, LeafError: the model has no such path or value.
        """

        def do() -> None:
            self._stores.change(self._changed(self._stores.running, values, removed))
            self.settle(user)

        self.call(do)

    def dirty_candidate(self, values: Flat, removed: Iterable[str] = ()) -> None:
        """Leave changes in the candidate that nobody commits."""
        self.call(lambda: self._stores.stage(self._changed(self._stores.candidate, values, removed)))

    def hold_lock(self, datastore: str, session_id: int = OUTSIDE) -> None:
        """Have somebody hold a lock: 0 is nobody of NETCONF (RFC 6241 section 7.5)."""
        self.call(lambda: self._stores.locks.update({datastore: session_id}))

    def release_lock(self, datastore: str) -> None:
        """Have nobody hold a lock."""
        self.call(lambda: self._stores.locks.pop(datastore, None))

    def locks(self) -> dict[str, int]:
        """Who holds which lock, by session-id."""
        return self.call(lambda: dict(self._stores.locks))

    def is_dirty(self) -> bool:
        """Whether the candidate has changes."""
        return self.call(lambda: self._stores.is_dirty)

    def pending(self) -> str | None:
        """The persist-id of the confirmed commit that waits; empty: it has none; None: none waits."""
        return self.call(lambda: self._stores.pending.persist_id if self._stores.pending else None)

    def expire_confirmed_commit(self) -> bool:
        """Have the time of a confirmed commit be over now.

        Returns:
            Whether one waited.
        """
        return self.call(lambda: self._expire(float("inf")))

    def set_state(self, values: Flat) -> None:
        """Have ``get`` tell values that are no configuration, beside those of the server itself."""

        def do() -> None:
            self._state = self.operations.state = self._changed({}, values, ())

        self.call(do)

    def sessions(self) -> list[tuple[int, str]]:
        """Session-id and user of every open session."""
        return self.call(lambda: [(one.session_id, one.user) for one in self.operations.clients.values()])

    # --- for sessions --------------------------------------------------------------------------------------------

    @property
    def _stores(self) -> Datastores:
        return self.operations.datastores

    def _new_session(self, connection: asyncssh.SSHServerConnection) -> NetconfChannel:
        return NetconfChannel(self, connection)

    def next_session_id(self) -> int:
        """An id that no session has had."""
        self._session_ids += 1
        return self._session_ids

    def open_session(self, client: Client, channel: NetconfChannel) -> None:
        """A session begins."""
        self._tell(notices.session_event(True, **_who(client)))
        self.operations.clients[client.session_id] = client
        self._channels[client.session_id] = channel

    def close_session(self, client: Client, reason: str, killed_by: int = 0) -> None:
        """A session is over, and what it held is free."""
        if self.operations.clients.pop(client.session_id, None) is None:
            return
        self._channels.pop(client.session_id, None)
        self._stores.end_session(client.session_id)
        self.settle(client.user)
        self._tell(notices.session_event(False, reason=reason, killed_by=killed_by, **_who(client)))

    def kill(self, session_id: int, by: int) -> None:
        """End another's session (RFC 6241 section 7.9)."""
        client, channel = self.operations.clients[session_id], self._channels[session_id]
        self.close_session(client, "killed", by)
        channel.abort()

    def do_other(self, fault: Fault) -> None:
        """Do what was not asked for."""
        self._stores.change(self._changed(self._stores.running, fault.other, ()))

    def settle(self, user: str = "") -> None:
        """After something may have happened: remember it, tell it, and set the clock for a confirmed commit."""
        stores = self._stores
        events = stores.events.take()
        kept = (stores.running, stores.startup, stores.pending)
        if any(one is not other for one, other in zip(kept, self._kept or (None,) * 3, strict=True)):
            self._kept = kept
            self.memory.save(**self._record(stores))
            self._set_timer(stores.pending)
        for datastore, before, after, session_id in events.changed:
            found = changes(self.model, before, after)
            who = self._whose(session_id, user)
            if found:
                self._tell(notices.config_change(self.model, datastore, found, **who))
        for what, timeout_s, session_id in events.confirmed:
            self._tell(notices.confirmed_commit(what, timeout_s, **self._whose(session_id, user)))

    def _whose(self, session_id: int, user: str) -> dict[str, Any]:
        client = self.operations.clients.get(session_id)
        return _who(client) if client else {"user": user, "session_id": session_id, "host": ""}

    def _tell(self, event: Element) -> None:
        name = str(event.tag).rpartition("}")[2]
        at = datetime.now(UTC) + timedelta(seconds=self.clock_skew_s)
        for session_id, client in list(self.operations.clients.items()):
            if client.subscription is not None and (not client.subscription or name in client.subscription):
                # An lxml element has one parent: each message takes a copy of its own.
                self._channels[session_id].send(notices.notification(deepcopy(event), at))

    # --- life ----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        self.operations = self._wake_up()

    def _wake_up(self) -> Operations:
        """The datastores as a restart finds them: an unconfirmed commit is undone, startup runs where it is apart."""
        record = self.memory.load()
        first = self._changed({}, self._first, ())
        running = self._changed({}, record["running"], ()) if "running" in record else first
        startup = self._changed({}, record["startup"], ()) if "startup" in record else running
        if record.get("before") is not None:
            running = self._changed({}, record["before"], ())
        if self.profile.startup:
            running = startup
        stores = Datastores(self.model, self.profile, running, startup)
        self._channels.clear()
        operations = Operations(stores, self._dialect, self._loop.time)
        operations.state = self._state
        self._kept = ()
        self._set_timer(None)
        return operations

    def _record(self, stores: Datastores) -> dict[str, Any]:
        pending = stores.pending
        return {
            "running": flatten(self.model, stores.running),
            "startup": flatten(self.model, stores.startup),
            "before": flatten(self.model, pending.before) if pending else None,
        }

    def _set_timer(self, pending: Pending | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if pending is not None:
            self._timer = self._loop.call_at(pending.deadline, self._expire, pending.deadline)

    def _expire(self, now: float) -> bool:
        expired = self._stores.expire(now)
        self.settle()
        return expired

    def _changed(self, tree: Tree, values: Flat, removed: Iterable[str]) -> Tree:
        for path in removed:
            tree = without_path(self.model, tree, path)
        for path, value in values.items():
            tree = with_path(self.model, tree, path, value)
        return tree


def _who(client: Client) -> dict[str, Any]:
    return {"user": client.user, "session_id": client.session_id, "host": client.host}
