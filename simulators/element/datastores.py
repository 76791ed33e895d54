"""The configurations of an element and who may change them when: locks, commits, confirmed commits. Pure.

Times are seconds of one clock of the caller's. Who asks is the session-id of NETCONF; 0 is somebody outside of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from simulators.element.errors import Condition, ConditionError, RpcError
from simulators.element.model import Model, RuleError, Tree

RUNNING: Final = "running"
CANDIDATE: Final = "candidate"
STARTUP: Final = "startup"
CONFIRM_TIMEOUT_S: Final = 600  # RFC 6241 section 8.4.5.1
OUTSIDE: Final = 0


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What an element can do.

    Attributes:
        candidate: it has a candidate. writable_running: the running configuration can be edited as it is.
        confirmed: "", "1.0" (neither persist nor cancel-commit) or "1.1". startup: it starts with a copy of its own.
        validate, rollback_on_error, with_defaults, notifications, interleave: it announces and does that.
        chunked: it speaks base 1.1. nmda: it knows get-data and edit-data, and yang-library 1.1 in place of 1.0.
    """

    candidate: bool = True
    writable_running: bool = False
    confirmed: str = "1.1"
    startup: bool = False
    validate: bool = True
    rollback_on_error: bool = True
    with_defaults: bool = True
    notifications: bool = True
    interleave: bool = True
    chunked: bool = True
    nmda: bool = True


PROFILES: Final = {
    "candidate": Profile(),
    "writable-running": Profile(candidate=False, writable_running=True, confirmed="", startup=True),
    "confirmed-1.0": Profile(confirmed="1.0", chunked=False, interleave=False, nmda=False),
    "no-persist": Profile(confirmed="1.0"),
    "no-confirmed": Profile(confirmed=""),
}


@dataclass
class Pending:
    """A confirmed commit that waits.

    Attributes:
        before: what is running again when nobody confirms. persist_id: empty: bound to its session.
        deadline: when it is undone.
    """

    before: Tree
    persist_id: str
    session_id: int
    deadline: float


@dataclass
class Events:
    """What happened, for those who asked to be told.

    Attributes:
        changed: (datastore, before, after, session-id). confirmed: events of netconf-confirmed-commit
            (RFC 6470 section 2.5) with the timeout in seconds, 0 where it has none.
    """

    changed: list[tuple[str, Tree, Tree, int]] = field(default_factory=list[tuple[str, Tree, Tree, int]])
    confirmed: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])

    def take(self) -> "Events":
        """What happened since the last time."""
        taken = Events(self.changed, self.confirmed)
        self.changed, self.confirmed = [], []
        return taken


class Datastores:
    """Running, candidate and startup with their locks.

    Invariant: while ``pending`` is None, what is running was committed for good.
    """

    def __init__(self, model: Model, profile: Profile, running: Tree, startup: Tree | None = None) -> None:
        self.model = model
        self.profile = profile
        self.running = running
        self.startup = running if startup is None else startup
        self._candidate: Tree | None = None
        self.locks: dict[str, int] = {}
        self.pending: Pending | None = None
        self.events = Events()
        self._checked: Tree | None = None

    @property
    def candidate(self) -> Tree:
        """What stands in the candidate; the running configuration while nobody has changed it."""
        return self.running if self._candidate is None else self._candidate

    @property
    def is_dirty(self) -> bool:
        """Whether the candidate was changed and not committed."""
        return self._candidate is not None and self._candidate != self.running

    def names(self) -> tuple[str, ...]:
        """The datastores that there are."""
        has = {RUNNING: True, CANDIDATE: self.profile.candidate, STARTUP: self.profile.startup}
        return tuple(name for name, there in has.items() if there)

    def read(self, name: str) -> Tree:
        """A datastore's tree.

        Raises:
            RpcError: there is no such datastore.
        """
        if name not in self.names():
            raise RpcError("invalid-value", f"there is no {name}", error_type="protocol")
        return {RUNNING: self.running, CANDIDATE: self.candidate, STARTUP: self.startup}[name]

    # --- locks ---------------------------------------------------------------------------------------------------

    def lock(self, session_id: int, name: str) -> None:
        """RFC 6241 section 7.5."""
        self.read(name)
        holder = self.locks.get(name)
        if holder is not None:
            raise RpcError(
                "lock-denied",
                "the lock is held",
                error_type="protocol",
                info={"session-id": str(holder)},
            )
        if name == CANDIDATE and self.is_dirty:
            raise ConditionError(
                Condition.DIRTY_CANDIDATE, "the candidate has changes", info={"session-id": "0"}
            )
        if self.pending and self.pending.session_id != session_id and name == RUNNING:
            raise RpcError(
                "lock-denied",
                "a confirmed commit waits",
                error_type="protocol",
                info={"session-id": str(self.pending.session_id)},
            )
        self.locks[name] = session_id

    def unlock(self, session_id: int, name: str) -> None:
        """RFC 6241 section 7.6."""
        self.read(name)
        if self.locks.get(name) != session_id:
            raise RpcError("operation-failed", "the lock is not yours", error_type="protocol")
        del self.locks[name]

    def _refuse_foreign(self, session_id: int, name: str) -> None:
        holder = self.locks.get(name)
        if holder is not None and holder != session_id:
            raise ConditionError(
                Condition.LOCKED_BY_OTHER,
                f"{name} is locked by session {holder}",
                info={"session-id": str(holder)},
            )

    # --- changes -------------------------------------------------------------------------------------------------

    def edit(self, session_id: int, name: str, change: Callable[[Tree], Tree]) -> None:
        """Put a changed tree into a datastore; the running one must stay valid."""
        if name == RUNNING and not self.profile.writable_running:
            raise RpcError("operation-not-supported", "running is not writable", error_type="protocol")
        before = self.read(name)
        self._refuse_foreign(session_id, name)
        self._put(session_id, name, change(before))

    def _put(self, session_id: int, name: str, after: Tree) -> None:
        if name == CANDIDATE:
            self._candidate = after
        elif name == STARTUP:
            self.events.changed.append((STARTUP, self.startup, after, session_id))
            self.startup = after
        else:
            self.check(after)
            self._run(after, session_id)

    def _run(self, after: Tree, session_id: int) -> None:
        if after is not self.running:
            self.events.changed.append((RUNNING, self.running, after, session_id))
            # What was staged on the old configuration stays staged; an untouched candidate follows.
            self.running = after

    def copy(self, session_id: int, source: Tree, target: str) -> None:
        """copy-config (RFC 6241 section 7.3)."""
        if target == RUNNING and not self.profile.writable_running:
            raise RpcError("operation-not-supported", "running is not writable", error_type="protocol")
        self.read(target)
        self._refuse_foreign(session_id, target)
        self._put(session_id, target, source)

    def delete(self, session_id: int, name: str) -> None:
        """delete-config (RFC 6241 section 7.4)."""
        if name != STARTUP:
            raise RpcError("operation-not-supported", f"{name} cannot be deleted", error_type="protocol")
        self.read(name)
        self._refuse_foreign(session_id, name)
        self._put(session_id, name, {})

    def discard(self, session_id: int) -> None:
        """discard-changes (RFC 6241 section 8.3.4.2)."""
        self._refuse_foreign(session_id, CANDIDATE)
        self._candidate = None

    def check(self, tree: Tree) -> None:
        """Hold a tree against the model.

        Raises:
            ConditionError, RpcError: it breaks a rule.
        """
        if tree is self._checked:
            return
        try:
            self.model.check(tree)
        except RuleError as fault:
            if fault.tag == "missing-data":
                raise ConditionError(Condition.MISSING_AT_VALIDATE, str(fault), path=fault.path) from fault
            raise _rule_error(fault) from fault
        self._checked = tree

    # --- commits -------------------------------------------------------------------------------------------------

    def commit(self, session_id: int, persist_id: str | None) -> None:
        """A commit for good, or the confirmation of one that waits."""
        self._may_commit(session_id, persist_id)
        self.check(self.candidate)
        self._run(self.candidate, session_id)
        self._candidate = None
        if self.pending:
            self.pending = None
            self.events.confirmed.append(("complete", 0, session_id))

    def commit_confirmed(
        self, session_id: int, *, timeout_s: int, persist: str, persist_id: str | None, now: float
    ) -> None:
        """A commit that is undone at its time-out; a further one starts the time anew (RFC 6241 section 8.4.1)."""
        self._may_commit(session_id, persist_id)
        self.check(self.candidate)
        before = self.pending.before if self.pending else self.running
        self._run(self.candidate, session_id)
        self._candidate = None
        self.events.confirmed.append(("extend" if self.pending else "start", timeout_s, session_id))
        self.pending = Pending(before, persist, session_id, now + timeout_s)

    def _may_commit(self, session_id: int, persist_id: str | None) -> None:
        self._refuse_foreign(session_id, RUNNING)
        self._refuse_foreign(session_id, CANDIDATE)
        if self.pending is None:
            if persist_id is not None:
                raise RpcError("invalid-value", "no confirmed commit has that persist-id")
            return
        if persist_id is not None and persist_id != self.pending.persist_id:
            raise RpcError("invalid-value", "no confirmed commit has that persist-id")
        own = not self.pending.persist_id and self.pending.session_id == session_id
        if persist_id is None and not own:
            raise ConditionError(Condition.COMMIT_DURING_CONFIRMED, "a confirmed commit waits")

    def cancel(self, session_id: int, persist_id: str | None) -> None:
        """cancel-commit (RFC 6241 section 8.4.4.1)."""
        if self.pending is None:
            raise RpcError("invalid-value" if persist_id else "operation-failed", "no confirmed commit waits")
        if self.pending.persist_id != (persist_id or ""):
            raise RpcError("invalid-value", "no confirmed commit has that persist-id")
        if not self.pending.persist_id and self.pending.session_id != session_id:
            raise RpcError("access-denied", "another session's confirmed commit")
        self._undo("cancel", session_id)

    def expire(self, now: float) -> bool:
        """Undo a confirmed commit whose time is over.

        Returns:
            Whether one was.
        """
        if self.pending is None or now < self.pending.deadline:
            return False
        self._undo("timeout", OUTSIDE)
        return True

    def _undo(self, event: str, session_id: int) -> None:
        if self.pending:
            self._run(self.pending.before, session_id)
            self.pending = None
            self.events.confirmed.append((event, 0, session_id))

    def end_session(self, session_id: int) -> None:
        """What a session's end takes with it: locks, what it staged under its lock, a commit bound to it."""
        if self.locks.get(CANDIDATE) == session_id:
            self._candidate = None
        self.locks = {name: holder for name, holder in self.locks.items() if holder != session_id}
        if self.pending and not self.pending.persist_id and self.pending.session_id == session_id:
            self._undo("cancel", session_id)

    # --- somebody at the console ---------------------------------------------------------------------------------

    def change(self, tree: Tree, session_id: int = OUTSIDE) -> None:
        """What is running becomes something else, without asking anybody; an undone commit undoes that as well."""
        self._run(tree, session_id)

    def stage(self, tree: Tree) -> None:
        """Somebody leaves the candidate dirty."""
        self._candidate = tree


def _rule_error(fault: RuleError) -> RpcError:
    """A broken rule in the words of RFC 7950 section 15."""
    match fault.tag:
        case "too-few-elements" | "too-many-elements":
            return RpcError("operation-failed", str(fault), app_tag=fault.tag, path=fault.path)
        case "instance-required":
            return RpcError("data-missing", str(fault), app_tag="instance-required", path=fault.path)
        case tag if tag.startswith("data-not-unique"):
            return RpcError("operation-failed", str(fault), app_tag="data-not-unique", path=fault.path)
        case _:
            return RpcError("operation-failed", str(fault), app_tag="must-violation", path=fault.path)
