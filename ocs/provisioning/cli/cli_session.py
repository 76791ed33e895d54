"""An element with a command line, as :class:`~ocs.provisioning.driver.ElementSession` wants it."""

from collections.abc import AsyncGenerator, Iterable, Sequence

from ocs.provisioning.cli.cli_conversation import CliConversation, Typed
from ocs.provisioning.cli.command_line import CommandLine
from ocs.provisioning.cli.reading import Reading, read_tree, tree_of
from ocs.provisioning.cli.writing import (
    Change,
    Command,
    WritingError,
    commands,
    native,
    planned,
    redone,
    restored,
    typed,
)
from ocs.provisioning.configuration import (
    Configuration,
    ConfigurationDiff,
    PathError,
    canonical_path,
    restricted,
)
from ocs.provisioning.credentials import SECRET_PREFIX, Secrets
from ocs.provisioning.driver import ConfigurationChange
from ocs.provisioning.element import Abilities, Element
from ocs.provisioning.errors import ElementError, ElementFault

# So many words of a line that the type does not know are shown: what follows may be a secret.
_WORDS_SHOWN = 3


def abilities_of(command_line: CommandLine) -> Abilities:
    """What elements of a type can do, by its description: a command line announces nothing."""
    description = command_line.description
    commit = description.commit
    confirmed = commit is not None and bool(commit.confirmed)
    return Abilities(
        candidate=commit is not None,
        confirmed=confirmed,
        persistent=confirmed,
        validates=commit is not None and bool(commit.validate),
        locks=description.locks,
        startup=bool(description.save),
    )


class CliSession:
    """One session with one element; :class:`~ocs.provisioning.driver.ElementSession` says what its methods promise.

    A confirmed commit of a command line has no id: :meth:`confirm` confirms whichever is pending, and :meth:`cancel`
    undoes only one of this very session, since it could not tell ours from another's; the reverse undoes it, too.
    """

    def __init__(
        self, element: Element, command_line: CommandLine, conversation: CliConversation, *, secrets: Secrets
    ) -> None:
        """Take over a conversation in its privileged mode.

        Args:
            element: whose it is. command_line: of its type. conversation: open.
            secrets: behind the names in configurations.
        """
        self._element = element
        self._command_line = command_line
        self._description = command_line.description
        self._conversation = conversation
        self._secrets = secrets
        self._abilities = abilities_of(command_line)
        # What ran when this change began, and what was staged on it; secrets in clear.
        self._current: Reading | None = None
        self._staged: Change | None = None
        self._awaits_confirmation = False

    @property
    def element(self) -> Element:
        """Whose session it is."""
        return self._element

    @property
    def abilities(self) -> Abilities:
        """What the element can do."""
        return self._abilities

    # --- Reading --------------------------------------------------------------------------------------------

    async def read(self, paths: Sequence[str] = ()) -> Configuration:
        """The running configuration: what lies at or below some paths; everything without any."""
        reading = await self._read()
        found = {
            path: None if value is None else self._secrets.concealed(value)
            for path, value in reading.configuration.items()
        }
        try:
            wanted = [canonical_path(path) for path in paths]
        except PathError as error:
            raise self._error(self._description.show, ElementFault.UNSUPPORTED, str(error)) from None
        return restricted(found, wanted) if wanted else found

    async def read_text(self) -> str:
        """The running configuration as the box shows it, also what its type does not know; with its secrets."""
        description = self._description
        line = description.show
        if self._conversation.is_configuring:
            line = description.do.replace("{command}", line)
        return await self._conversation.ask(
            Typed(line), description.commit_timeout_s, until=description.shown_last
        )

    async def _read(self) -> Reading:
        text = await self.read_text()
        tree = tree_of(text, shown_last=self._description.shown_last, block=self._command_line.block)
        self._current = read_tree(self._command_line.rules, tree)
        return self._current

    # --- Changing -------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Enter configuration mode, which keeps others out where the type says so."""
        self._staged = None
        if not self._conversation.is_configuring:
            await self._ask(self._description.enter)
            if not self._conversation.is_configuring:
                raise self._out_of_step(self._description.enter)
        self._current = None

    async def stage(self, diff: ConfigurationDiff) -> None:
        """Put a change where ``commit`` takes it from: into the box's own collection, where it has one."""
        resolved = ConfigurationDiff(
            {path: value and self._resolved(value, path) for path, value in diff.set.items()}, diff.removed
        )
        rules = self._command_line.rules
        reading = self._current or await self._read()
        base = reading if self._staged is None else read_tree(rules, self._staged.after)
        try:
            change = planned(rules, base, resolved)
        except WritingError as error:
            raise self._error(
                "write lines", ElementFault.UNSUPPORTED, error.reason, path=error.path
            ) from None
        first = self._staged.before if self._staged is not None else change.before
        self._staged = Change(first, change.after)
        if self._abilities.candidate:
            await self._type_all(commands(rules, change.before, change.after))

    async def validate(self) -> None:
        """Have the element check what is staged; does nothing where it cannot."""
        commit = self._description.commit
        if commit is not None and commit.validate and self._staged is not None:
            await self._ask(commit.validate, self._description.commit_timeout_s)

    async def commit(self) -> None:
        """Make what is staged run, and start with, for good; without a candidate, all of it or nothing."""
        staged, self._staged = self._staged, None
        commit = self._description.commit
        self._current = None
        if staged is not None and commit is not None:
            await self._commit(commit.commit)
        elif staged is not None:
            await self._run(staged)
        await self._save()

    async def commit_confirmed(self, persist_id: str, timeout_s: int) -> None:
        """Make what is staged run until the time-out, unless it is confirmed first."""
        del persist_id
        commit = self._description.commit
        if commit is None or not commit.confirmed:
            raise self._error("commit", ElementFault.UNSUPPORTED, "it has no confirmed commit")
        self._staged = self._current = None
        await self._commit(commit.confirmed.replace("{timeout_s}", str(timeout_s)))
        self._awaits_confirmation = True

    async def confirm(self, persist_id: str) -> bool:
        """Make a confirmed commit last."""
        del persist_id
        commit = self._description.commit
        if commit is None or not commit.confirmed:
            return False
        was_configuring = self._conversation.is_configuring
        if not was_configuring:
            await self.begin()
        was_pending = await self._commit(commit.commit)
        self._awaits_confirmation = False
        if was_pending:
            await self._save()
        if not was_configuring:
            await self._leave()
        return was_pending

    async def cancel(self, persist_id: str) -> bool:
        """Undo a confirmed commit now."""
        del persist_id
        commit = self._description.commit
        if commit is None or not self._awaits_confirmation:
            return False
        if commit.cancel:
            await self._ask(commit.cancel, self._description.commit_timeout_s)
        self._awaits_confirmation = False
        return bool(commit.cancel)

    async def abandon(self) -> None:
        """Discard what is staged and let others in again."""
        self._staged = self._current = None
        commit = self._description.commit
        if self._conversation.is_configuring and commit is not None:
            await self._ask(commit.abort)
        await self._leave()

    async def release(self) -> None:
        """Let others in again after a commit."""
        await self._leave()

    async def _leave(self) -> None:
        if self._conversation.is_configuring:
            await self._ask(self._description.leave)

    async def _commit(self, line: str) -> bool:
        """Commit what was collected; whether there was anything."""
        typed_line = Typed(line)
        answer = await self._conversation.type(typed_line, self._description.commit_timeout_s)
        if self._command_line.nothing.search(answer):
            return False
        self._conversation.check(typed_line, answer)
        return True

    async def _save(self) -> None:
        description = self._description
        if description.save:
            line = description.save
            if self._conversation.is_configuring:
                line = description.do.replace("{command}", line)
            await self._ask(line, description.commit_timeout_s)

    # --- Boxes where each line runs at once -----------------------------------------------------------------

    async def _run(self, staged: Change) -> None:
        """Type a change; when the box refuses a line, take back what was typed before it."""
        rules = self._command_line.rules
        try:
            await self._type_all(commands(rules, staged.before, staged.after))
            now = (await self._read()).tree
            left = commands(rules, now, redone(now, staged))
            if left:
                reason = "it took every line, and what it shows lacks some"
                raise self._error(self._shown(left[0]), ElementFault.UNTRUE, reason)
        except ElementError as error:
            if self._conversation.is_open:
                await self._take_back(staged, error)
            raise
        finally:
            self._current = None

    async def _take_back(self, staged: Change, cause: ElementError) -> None:
        rules = self._command_line.rules
        try:
            # Out of whatever section the refused line left us in.
            await self._leave()
            await self._ask(self._description.enter)
            now = (await self._read()).tree
            await self._type_all(commands(rules, now, restored(now, staged)))
            now = (await self._read()).tree
            left = commands(rules, now, restored(now, staged))
        except ElementError as error:
            raise self._error(
                cause.operation,
                ElementFault.UNTRUE,
                f"{cause.reason}; what ran before it could not be taken back: {error.operation}: {error.reason}",
                tag=cause.tag,
            ) from cause
        if left:
            reason = f"{cause.reason}; what ran before it was taken back, and is still there"
            raise self._error(cause.operation, ElementFault.UNTRUE, reason, tag=cause.tag) from cause

    async def _type_all(self, wanted: Iterable[Command]) -> None:
        for command in typed(wanted, self._description.section_end):
            await self._conversation.ask(
                Typed(command.line, self._shown(command)), self._description.timeout_s
            )
            if not self._conversation.is_configuring:
                raise self._out_of_step(self._shown(command))

    @staticmethod
    def _shown(command: Command) -> str:
        if command.rule is not None:
            return command.rule.shown(command.line)
        words = command.line.split()
        return " ".join(words if len(words) <= _WORDS_SHOWN else [*words[:_WORDS_SHOWN], "..."])

    # --- For people, and what it cannot ---------------------------------------------------------------------

    def native(self, diff: ConfigurationDiff) -> str:
        """The lines that a change comes to; secrets stand in them as their names."""
        try:
            return "\n".join(native(self._command_line.rules, diff, self._description.section_end))
        except WritingError as error:
            raise self._error(
                "write lines", ElementFault.UNSUPPORTED, error.reason, path=error.path
            ) from None

    async def changes(self) -> AsyncGenerator[ConfigurationChange]:
        """It never tells."""
        raise self._error("watch", ElementFault.UNSUPPORTED, "a command line does not tell of changes")
        yield ConfigurationChange(0, "", (), "")

    # --- Asking ---------------------------------------------------------------------------------------------

    async def _ask(self, line: str, timeout_s: float = 0) -> str:
        return await self._conversation.ask(Typed(line), timeout_s or self._description.timeout_s)

    def _resolved(self, value: str, path: str) -> str:
        try:
            return self._secrets.resolved(value)
        except KeyError:
            name = value.removeprefix(SECRET_PREFIX)
            reason = f"there is no secret {name!r} in secrets_dir"
            raise self._error("write lines", ElementFault.REQUEST, reason, path=path) from None

    def _out_of_step(self, operation: str) -> ElementError:
        reason = "its prompt after that is not the one of configuration mode"
        return self._error(operation, ElementFault.PROTOCOL, reason)

    def _error(
        self, operation: str, fault: ElementFault, reason: str, *, path: str = "", tag: str = ""
    ) -> ElementError:
        return ElementError(
            element=self._element.name, operation=operation, fault=fault, reason=reason, path=path, tag=tag
        )
