"""An element that speaks NETCONF, as :class:`~ocs.provisioning.driver.ElementSession` wants it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from ocs.log import get_logger
from ocs.provisioning.configuration import (
    Configuration,
    ConfigurationDiff,
    PathError,
    changed,
    entries_above,
    restricted,
)
from ocs.provisioning.credentials import SECRET_PREFIX, Secrets
from ocs.provisioning.driver import ConfigurationChange
from ocs.provisioning.element import Abilities, Element
from ocs.provisioning.element_type import NetconfDescription
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.netconf import operations
from ocs.provisioning.netconf.capabilities import Capabilities
from ocs.provisioning.netconf.changes import read_change
from ocs.provisioning.netconf.conversation import Conversation
from ocs.provisioning.netconf.documents import XmlElement, names_of, pretty, text_of
from ocs.provisioning.netconf.messages import Reply
from ocs.provisioning.netconf.operations import Datastore
from ocs.provisioning.netconf.rpc_error import RpcError, gravest
from ocs.provisioning.netconf.xml_configuration import filter_xml, from_xml, to_xml
from ocs.provisioning.schema.schema import Schema, SchemaError
from ocs.provisioning.schema.value_type import NO_XML, path_of_xml

log = get_logger(__name__)

_CONFIRMATIONS_GONE: Final = frozenset({ElementFault.REQUEST, ElementFault.ELEMENT})


def abilities_of(capabilities: Capabilities, description: NetconfDescription) -> Abilities:
    """What an element can do: its hello, less what its type is known to do badly."""
    distrusted = description.distrusted
    candidate = capabilities.candidate and "candidate" not in distrusted
    confirmed = candidate and bool(capabilities.confirmed_commit) and "confirmed-commit" not in distrusted
    tells = not capabilities.modules or "ietf-netconf-notifications" in capabilities.modules
    return Abilities(
        candidate=candidate,
        confirmed=confirmed,
        persistent=confirmed and capabilities.confirmed_commit == "1.1",
        validates=bool(capabilities.validate) and "validate" not in distrusted,
        locks=True,  # of base: every server has it (RFC 6241 section 7.5)
        startup=capabilities.startup and "startup" not in distrusted,
        notifies=capabilities.notification and tells and "notification" not in distrusted,
    )


class NetconfSession:
    """One session with one element; :class:`~ocs.provisioning.driver.ElementSession` says what its methods promise."""

    def __init__(
        self,
        element: Element,
        description: NetconfDescription,
        conversation: Conversation,
        *,
        schema: Schema,
        secrets: Secrets,
    ) -> None:
        """Take over a conversation after the hellos.

        Args:
            element: whose it is. description: of its type. conversation: open. schema: of its type's modules.
            secrets: behind the names in configurations.
        """
        self._element = element
        self._description = description
        self._conversation = conversation
        self._schema = schema
        self._secrets = secrets
        self._capabilities = conversation.capabilities
        self._abilities = abilities_of(self._capabilities, description)
        self._locked: list[Datastore] = []
        # Changes that were staged and are not sent yet: elements without a candidate.
        self._collected = ConfigurationDiff()
        self._has_staged = False

    @property
    def element(self) -> Element:
        """Whose session it is."""
        return self._element

    @property
    def abilities(self) -> Abilities:
        """What the element can do."""
        return self._abilities

    @property
    def capabilities(self) -> Capabilities:
        """What its hello said, word for word."""
        return self._capabilities

    @property
    def session_id(self) -> int:
        """The element's number for this session."""
        return self._conversation.session_id

    # --- Reading --------------------------------------------------------------------------------------------

    async def read(self, paths: Sequence[str] = ()) -> Configuration:
        """The running configuration: what lies at or below some paths; everything without any."""
        return await self.read_datastore("running", paths)

    async def read_datastore(self, datastore: Datastore, paths: Sequence[str] = ()) -> Configuration:
        """The configuration of a datastore: ``running``, ``candidate`` or ``startup``."""
        wanted = self._wanted(paths, "get-config")
        subtree = filter_xml(wanted, self._schema) if wanted else None
        asked = operations.get_config(datastore, subtree, with_defaults=self._with_defaults())
        reply = await self._ask(asked)
        found = self._found(reply, "get-config")
        self._settle_defaults(found, wanted)
        return restricted(found, wanted) if wanted else found

    async def read_state(self, paths: Sequence[str]) -> Configuration:
        """What is in operation at or below some paths, state included (RFC 8342 section 5.3 where the element can)."""
        wanted = self._wanted(paths, "get")
        subtree = filter_xml(wanted, self._schema)
        is_nmda = self._capabilities.nmda
        asked = operations.get_data("operational", subtree) if is_nmda else operations.get(subtree)
        reply = await self._ask(asked)
        return restricted(self._found(reply, "get", with_state=True), wanted)

    def _wanted(self, paths: Sequence[str], operation: str) -> list[str]:
        try:
            return [self._schema.canonical_path(path) for path in paths if self._schema.node(path)]
        except (SchemaError, PathError) as error:
            raise self._unsupported(operation, error) from None

    def _found(self, reply: Reply, operation: str, *, with_state: bool = False) -> dict[str, str | None]:
        if reply.data is None:
            raise self._error(operation, ElementFault.PROTOCOL, "an answer without data")
        try:
            found = from_xml(reply.data, self._schema, with_state=with_state)
        except PathError as error:
            raise self._unsupported(operation, error) from None
        return {
            path: None if value is None else self._secrets.concealed(value) for path, value in found.items()
        }

    def _with_defaults(self) -> str:
        """How defaults are to be reported: only what somebody set (RFC 6243 section 3), as near as it goes."""
        modes = (self._capabilities.default_mode, *self._capabilities.default_modes)
        if not modes[0] or modes[0] == "explicit":
            return ""
        return next((mode for mode in ("explicit", "trim") if mode in modes[1:]), "")

    def _settle_defaults(self, found: dict[str, str | None], wanted: Sequence[str]) -> None:
        """Make up for elements that cannot tell what was set from what is so by default."""
        mode = self._with_defaults() or self._capabilities.default_mode
        if mode == "trim":
            # A leaf that was asked for by name and has its default stands in no answer.
            for path in wanted:
                default = self._schema.node(path).default
                if default is not None and path not in found and set(entries_above(path)) <= found.keys():
                    found[path] = default
        elif mode == "report-all":
            for path in [path for path in found if path not in wanted]:
                if found[path] is not None and found[path] == self._schema.node(path).default:
                    del found[path]

    # --- Changing -------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Lock what is about to be changed, and discard what somebody left in the candidate."""
        try:
            for datastore in self._description.locks:
                if datastore == "running" or self._abilities.candidate:
                    await self._lock(datastore)
            if self._abilities.candidate:
                await self._ask(operations.discard_changes())
        except ElementError:
            if self._conversation.is_open:
                await self._unlock()
            raise

    async def _lock(self, datastore: Datastore) -> None:
        if datastore in self._locked:
            return
        reply = await self._conversation.call(operations.lock(datastore), self._description.timeout_s)
        if reply.errors and datastore == "candidate" and not any(error.session_id for error in reply.errors):
            # RFC 6241 section 7.5: no session holds it, so it holds changes that nobody committed; or somebody outside
            # NETCONF holds it, who then does not let us discard them.
            discarded = await self._conversation.call(
                operations.discard_changes(), self._description.timeout_s
            )
            if not discarded.errors:
                reply = await self._conversation.call(operations.lock(datastore), self._description.timeout_s)
        self._raise_for(reply, "lock", datastore)
        self._locked.append(datastore)

    async def stage(self, diff: ConfigurationDiff) -> None:
        """Put a change where ``commit`` takes it from."""
        self._check(diff)
        if not diff:
            return
        self._has_staged = True
        if not self._abilities.candidate:
            self._collected = _together(self._collected, diff)
            return
        await self._edit("candidate", diff)

    async def validate(self) -> None:
        """Have the element check what is staged; does nothing where it cannot."""
        if not self._abilities.validates:
            return
        if self._abilities.candidate:
            await self._ask(operations.validate("candidate"), timeout_s=self._description.commit_timeout_s)
        elif self._collected and self._capabilities.validate == "1.1":
            await self._edit("running", self._collected, test_option="test-only")

    async def commit(self) -> None:
        """Make what is staged run, for good."""
        if self._abilities.candidate:
            await self._ask(operations.commit(), timeout_s=self._description.commit_timeout_s)
        elif self._collected:
            await self._edit("running", self._collected)
        self._forget_staged()
        await self._keep()

    async def commit_confirmed(self, persist_id: str, timeout_s: int) -> None:
        """Make what is staged run until the time-out, unless it is confirmed first."""
        if not self._abilities.confirmed:
            raise self._error("commit", ElementFault.UNSUPPORTED, "it has no confirmed commit")
        persist = persist_id if self._abilities.persistent else ""
        await self._ask(
            operations.commit(confirm_timeout_s=timeout_s, persist=persist),
            timeout_s=self._description.commit_timeout_s,
        )
        self._forget_staged()

    async def confirm(self, persist_id: str) -> bool:
        """Make a confirmed commit last."""
        id_there = persist_id if self._abilities.persistent else ""
        was_pending = await self._resolve(operations.commit(persist_id=id_there))
        if was_pending:
            await self._keep()
        return was_pending

    async def cancel(self, persist_id: str) -> bool:
        """Undo a confirmed commit now."""
        if not self._abilities.confirmed:
            return False
        if self._abilities.persistent:
            return await self._resolve(operations.cancel_commit(persist_id))
        # confirmed-commit:1.0 knows no cancel: the end of the session is one (RFC 4741 section 8.4.1).
        await self._conversation.close()
        self._locked.clear()
        return True

    async def _resolve(self, operation: XmlElement) -> bool:
        """Confirm or cancel; whether one was pending."""
        name = names_of(operation)[1]
        # Only a plain commit has no value that could be wrong: this one names what it confirms.
        name = "confirm" if name == "commit" else name
        reply = await self._conversation.call(operation, self._description.commit_timeout_s)
        if reply.errors and gravest(reply.errors, name)[1] in _CONFIRMATIONS_GONE:
            log.debug(
                "no_commit_pending", element=self._element.name, operation=name, reason=str(reply.errors[0])
            )
            return False
        self._raise_for(reply, name)
        return True

    async def abandon(self) -> None:
        """Discard what is staged and let others in again."""
        if self._abilities.candidate and (self._has_staged or self._locked):
            # Before the lock goes: what is left in the candidate is the next one's trouble.
            await self._ask(operations.discard_changes())
        self._forget_staged()
        await self._unlock()

    async def release(self) -> None:
        """Let others in again after a commit."""
        await self._unlock()

    async def _unlock(self) -> None:
        while self._locked:
            datastore = self._locked.pop()
            reply = await self._conversation.call(operations.unlock(datastore), self._description.timeout_s)
            if reply.errors:
                # It is not ours any more: killed, or let go by an operator. Nothing is lost by that.
                log.warning(
                    "element_unlock",
                    element=self._element.name,
                    datastore=datastore,
                    reason=str(reply.errors[0]),
                )

    async def _keep(self) -> None:
        """RFC 6241 section 8.7: what runs is not what it starts with."""
        if self._abilities.startup:
            await self._ask(
                operations.copy_config("running", "startup"), timeout_s=self._description.commit_timeout_s
            )

    async def _edit(self, target: Datastore, diff: ConfigurationDiff, *, test_option: str = "") -> None:
        removal = "remove" if "1.1" in self._capabilities.base else "delete"
        if removal == "delete" and diff.removed:
            # RFC 4741 knows no remove, and delete minds what is absent.
            there = await self.read_datastore(target, diff.removed)
            diff = ConfigurationDiff(diff.set, tuple(path for path in diff.removed if path in there))
        rolls_back = (
            self._capabilities.rollback_on_error and "rollback-on-error" not in self._description.distrusted
        )
        if not test_option and target == "running" and self._abilities.validates:
            test_option = "test-then-set"
        edit = operations.edit_config(
            target,
            to_xml(diff, self._schema, resolve=self._resolved, removal=removal),
            test_option=test_option,
            error_option="rollback-on-error" if rolls_back else "",
        )
        await self._ask(edit, timeout_s=self._description.commit_timeout_s)

    def _forget_staged(self) -> None:
        self._has_staged = False
        self._collected = ConfigurationDiff()

    def _check(self, diff: ConfigurationDiff) -> None:
        """Find before anything is sent what cannot be expressed, or cannot be."""
        for fault in self._schema.check(diff.set):
            raise self._error("edit-config", ElementFault.UNSUPPORTED, fault.reason, path=fault.path)
        listed = self._capabilities.modules
        for path in diff.paths:
            try:
                node = self._schema.node(path)
                if listed and node.module not in listed and self._capabilities.yang_library != "1.1":
                    raise SchemaError(path, f"the element has no module {node.module}")
            except (SchemaError, PathError) as error:
                raise self._unsupported("edit-config", error) from None
        for path, value in diff.set.items():
            if value is not None:
                self._resolved(value, path)

    def _resolved(self, value: str, path: str = "") -> str:
        name = value.removeprefix(SECRET_PREFIX)
        try:
            resolved = self._secrets.resolved(value)
        except KeyError:
            reason = f"there is no secret {name} in the folder of secrets"
            raise self._error("edit-config", ElementFault.REQUEST, reason, path=path) from None
        if resolved is not value and NO_XML.search(resolved):
            reason = f"secret {name}: expected characters that XML allows"
            raise self._error("edit-config", ElementFault.REQUEST, reason, path=path)
        return resolved

    def native(self, diff: ConfigurationDiff) -> str:
        """The edit-config that a change comes to."""
        return native(diff, self._schema, "candidate" if self._abilities.candidate else "running")

    # --- Watching and more ----------------------------------------------------------------------------------

    async def changes(self) -> AsyncGenerator[ConfigurationChange]:
        """Changes of the running configuration as the element tells of them."""
        if not self._abilities.notifies:
            raise self._error(
                "create-subscription", ElementFault.UNSUPPORTED, "it does not tell of changes (RFC 6470)"
            )
        await self._ask(operations.subscribe_to_changes())
        while True:
            change = read_change(await self._conversation.notification(), self._path_of)
            if change is not None:
                yield change

    async def kill(self, session_id: int) -> bool:
        """End another session of this element (RFC 6241 section 7.9); an operator's decision, never a program's.

        Returns:
            Whether there was one.

        Raises:
            ElementError: REQUEST when it is this one; ACCESS when we may not.
        """
        if session_id == self.session_id:
            raise self._error("kill-session", ElementFault.REQUEST, "that is our own session")
        return await self._resolve(operations.kill_session(session_id))

    async def yang(self, module: str, revision: str = "") -> str:
        """The YANG of a module, as the element has it (RFC 6022)."""
        reply = await self._ask(operations.get_schema(module, revision))
        return text_of(reply.data)

    async def close(self) -> None:
        """Say goodbye."""
        await self._conversation.close()

    # --- Asking ---------------------------------------------------------------------------------------------

    async def _ask(self, operation: XmlElement, *, timeout_s: float = 0) -> Reply:
        name = names_of(operation)[1]
        reply = await self._conversation.call(operation, timeout_s or self._description.timeout_s)
        self._raise_for(reply, name)
        return reply

    def _raise_for(self, reply: Reply, operation: str, what: str = "") -> None:
        if not reply.errors:
            return
        error, fault = gravest(reply.errors, operation)
        more = f" (and {len(reply.errors) - 1} more)" if len(reply.errors) > 1 else ""
        holder = next((one.session_id for one in reply.errors if one.session_id is not None), None)
        held = (
            ""
            if holder is None
            else f", held by {f'session {holder}' if holder else 'somebody outside NETCONF'}"
        )
        raise ElementError(
            element=self._element.name,
            operation=f"{operation} {what}".strip(),
            fault=fault,
            reason=f"{self._secrets.redacted(str(error))}{held}{more}",
            path=self._secrets.redacted(self._place(error)),
            tag=error.tag,
            holder=holder,
        )

    def _place(self, error: RpcError) -> str:
        """Where in the configuration: what follows ``config`` in the error's path; empty when it is about no data."""
        _, found, below = error.path.partition(":config/")
        text = f"/{below}" if found else error.path
        path = path_of_xml(text, lambda prefix: self._module_of(error, prefix)) if text else None
        return path or (text if found else "")

    def _module_of(self, error: RpcError, prefix: str) -> str | None:
        return self._schema.module_of(error.namespaces.get(prefix, ""))

    def _path_of(self, text: str, namespace_of: Callable[[str], str]) -> str:
        return path_of_xml(text, lambda prefix: self._schema.module_of(namespace_of(prefix))) or text

    def _unsupported(self, operation: str, error: SchemaError | PathError) -> ElementError:
        path = error.path if isinstance(error, SchemaError) else ""
        reason = error.reason if isinstance(error, SchemaError) else str(error)
        return self._error(operation, ElementFault.UNSUPPORTED, reason, path=path)

    def _error(self, operation: str, fault: ElementFault, reason: str, *, path: str = "") -> ElementError:
        return ElementError(
            element=self._element.name, operation=operation, fault=fault, reason=reason, path=path
        )


def native(diff: ConfigurationDiff, schema: Schema, target: Datastore = "candidate") -> str:
    """The edit-config that a change comes to, for people; secrets stand in it as their names.

    Raises:
        SchemaError: a path is none of the schema's.
    """
    return pretty(operations.edit_config(target, to_xml(diff, schema)))


def _together(first: ConfigurationDiff, second: ConfigurationDiff) -> ConfigurationDiff:
    """Two changes as one."""
    kept = changed(first.set, ConfigurationDiff({}, second.removed))
    kept.update(second.set)
    removed = dict.fromkeys((*first.removed, *second.removed))
    return ConfigurationDiff(kept, tuple(path for path in removed if path not in kept))
