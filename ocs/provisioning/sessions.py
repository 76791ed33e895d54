"""Sessions with elements: the right language for its type, so many at a time, and none with one that is away."""

import math
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import trio

from ocs.limits import ELEMENT_CONNECT_TIMEOUT_S, ELEMENT_CONNECTS_AT_ONCE, ELEMENT_SESSIONS_REMEMBERED
from ocs.metrics import Counter, Gauge
from ocs.provisioning.circuit_breaker import CircuitBreaker
from ocs.provisioning.cli.cli_conversation import CliConversation
from ocs.provisioning.cli.cli_session import CliSession
from ocs.provisioning.cli.command_line import CommandLine
from ocs.provisioning.cli.writing import WritingError, check_paths
from ocs.provisioning.cli.writing import native as native_lines
from ocs.provisioning.configuration import Configuration, ConfigurationDiff
from ocs.provisioning.credentials import Credential, Secrets
from ocs.provisioning.driver import ElementSession
from ocs.provisioning.element import Element
from ocs.provisioning.element_type import ElementType, NetconfDescription
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.netconf.conversation import Conversation
from ocs.provisioning.netconf.netconf_session import NetconfSession, native
from ocs.provisioning.netconf.transport import open_transport
from ocs.provisioning.schema.schema import Schema, SchemaError
from ocs.provisioning.schema.yang import load_schema

_C = TypeVar("_C")

_SESSIONS: Final = Gauge("ocs_element_sessions", "Open sessions with network elements.")
_CONNECTS: Final = Counter(
    "ocs_element_connects_total", "Attempts to open a session with a network element.", ("outcome",)
)
# What says that an element is away, or will not have us: to ask again at once is of no use.
_OPENS_BREAKER: Final = frozenset({ElementFault.UNREACHABLE, ElementFault.ACCESS, ElementFault.PROTOCOL})


class LeftAlone(NamedTuple):
    """An element that is away.

    Attributes:
        reason: why the last connection failed. wait_s: how long nobody may try; 0: now.
    """

    reason: str
    wait_s: float


class Sessions:
    """See :class:`~ocs.provisioning.driver.ElementSessions`; used inside :func:`~ocs.asyncio_bridge.asyncio_loop`."""

    def __init__(
        self,
        types: Mapping[str, ElementType],
        credentials: Mapping[str, Credential],
        secrets: Secrets,
        *,
        yang_folders: Sequence[Path],
        sessions_max: int = 512,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Know how to reach elements.

        Args:
            types: by name. credentials: by name. secrets: behind the names in configurations.
            yang_folders: where the modules of the types are. sessions_max: at a time, with all elements.
            chance: gives random numbers from 0 to 1, by which attempts spread.
        """
        self._types = types
        self._credentials = credentials
        self._secrets = secrets
        self._yang_folders = tuple(yang_folders)
        self._chance = chance
        self._all = trio.Semaphore(sessions_max)
        self._connecting = trio.Semaphore(ELEMENT_CONNECTS_AT_ONCE)
        self._of_element: dict[str, tuple[trio.Semaphore, list[int]]] = {}
        self._breakers: dict[str, CircuitBreaker] = {}
        # The numbers of our last sessions with each element: what they changed may be told when they are over.
        self._numbers: dict[str, deque[int]] = {}

    # --- What needs no connection ---------------------------------------------------------------------------

    def native(self, element: Element, diff: ConfigurationDiff, before: Configuration | None = None) -> str:
        """What would be sent for a change, in the element's own language, for people; secrets are not shown.

        Args:
            before: what is known to stand at the paths of the change; a command line takes away line by line.
        """
        command_line = self._type(element).cli
        try:
            if command_line is not None:
                section_end = command_line.description.section_end
                return "\n".join(native_lines(command_line.rules, diff, section_end, before))
            return native(diff, self.schema(element))
        except WritingError as error:
            raise self._error(
                element, "write lines", ElementFault.UNSUPPORTED, error.reason, error.path
            ) from None
        except SchemaError as error:
            raise self._error(
                element, "edit-config", ElementFault.UNSUPPORTED, error.reason, error.path
            ) from None

    def canonical(self, element: Element, configuration: Configuration) -> dict[str, str | None]:
        """A configuration as it would be read from the element: the form in which the two can be compared.

        Raises:
            ElementError: UNSUPPORTED: it names what an element of this type does not have, or cannot take.
        """
        command_line = self._type(element).cli
        try:
            canonical = self.schema(element).canonical(configuration)
            if command_line is not None:
                check_paths(command_line.rules, canonical)
            return canonical
        except (SchemaError, WritingError) as error:
            raise self._error(element, "check", ElementFault.UNSUPPORTED, error.reason, error.path) from None

    def schema(self, element: Element) -> Schema:
        """What the YANG modules of an element's type say.

        Raises:
            ElementError: its type is not known, or its modules cannot be read.
        """
        kind = self._type(element)
        try:
            return load_schema(self._yang_folders, kind.modules)
        except SchemaError as error:
            raise self._error(element, "load YANG", ElementFault.UNSUPPORTED, str(error)) from None

    def is_ours(self, element: str, session_id: int) -> bool:
        """Whether a session of an element is, or was lately, one of this process: who changed its configuration."""
        return session_id in self._numbers.get(element, ())

    def left_alone(self) -> dict[str, LeftAlone]:
        """Elements that could not be reached several times in a row, by name."""
        now_s = trio.current_time()
        return {
            name: LeftAlone(breaker.reason, breaker.wait_s(now_s))
            for name, breaker in self._breakers.items()
            if breaker.is_open
        }

    # --- Sessions -------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def session(self, element: Element) -> AsyncGenerator[ElementSession]:
        """Connect, check the host key, say who we are; bounded in time. See :class:`ElementSessions`."""
        command_line = self._type(element).cli
        if command_line is None:
            async with self.netconf(element) as session:
                yield session
        else:
            async with self._cli(element, command_line) as session:
                yield session

    @asynccontextmanager
    async def netconf(self, element: Element) -> AsyncGenerator[NetconfSession]:
        """As :meth:`session`, for who needs what only NETCONF has."""
        description = self._type(element).netconf
        if description is None:
            reason = f"its type {element.type_name!r} has a command line and no NETCONF"
            raise self._error(element, "connect", ElementFault.UNSUPPORTED, reason)
        schema = self.schema(element)
        opening = _netconf_conversation(element, self._credential(element), description)
        async with self._place(element), self._connected(element, opening) as conversation:
            session = NetconfSession(element, description, conversation, schema=schema, secrets=self._secrets)
            _SESSIONS.add(1)
            numbers = self._numbers.setdefault(element.name, deque(maxlen=ELEMENT_SESSIONS_REMEMBERED))
            numbers.append(session.session_id)
            try:
                yield session
                await session.close()
            finally:
                _SESSIONS.add(-1)

    @asynccontextmanager
    async def _cli(self, element: Element, command_line: CommandLine) -> AsyncGenerator[CliSession]:
        opening = _cli_conversation(element, self._credential(element), command_line)
        async with self._place(element), self._connected(element, opening) as conversation:
            _SESSIONS.add(1)
            try:
                yield CliSession(element, command_line, conversation, secrets=self._secrets)
            finally:
                _SESSIONS.add(-1)

    def _credential(self, element: Element) -> Credential:
        credential = self._credentials.get(element.credential)
        if credential is None:
            reason = f"there is no credential {element.credential!r} in [[provisioning.credentials]]"
            raise self._error(element, "connect", ElementFault.ACCESS, reason)
        return credential

    @asynccontextmanager
    async def _place(self, element: Element) -> AsyncGenerator[None]:
        """One of the places for sessions, with this element and with all."""
        sessions_max = self._types[element.type_name].sessions_max
        semaphore, users = self._of_element.setdefault(element.name, (trio.Semaphore(sessions_max), []))
        users.append(1)
        try:
            async with semaphore, self._all:
                yield
        finally:
            users.pop()
            if not users:
                del self._of_element[element.name]

    @asynccontextmanager
    async def _connected(
        self, element: Element, opening: AbstractAsyncContextManager[_C]
    ) -> AsyncGenerator[_C]:
        """An open conversation; how it went is the breaker's to remember."""
        breaker = self._breakers.setdefault(element.name, CircuitBreaker(self._chance))
        wait_s = breaker.wait_s(trio.current_time())
        if wait_s > 0:
            _CONNECTS.inc("refused")
            reason = f"left alone for {math.ceil(wait_s)} s more after repeated failures; the last: {breaker.reason}"
            raise self._error(element, "connect", ElementFault.UNREACHABLE, reason)
        breaker.note_attempt()
        is_open = False
        try:
            async with self._opened(element, opening) as conversation:
                breaker.note_success()
                _CONNECTS.inc("opened")
                is_open = True
                yield conversation
        except ElementError as error:
            if not is_open:
                _CONNECTS.inc(error.fault.value)
                if error.fault in _OPENS_BREAKER:
                    breaker.note_failure(trio.current_time(), error.reason)
            raise
        finally:
            if not is_open:
                breaker.note_withdrawal()
            if breaker.is_idle:
                self._breakers.pop(element.name, None)

    @asynccontextmanager
    async def _opened(self, element: Element, opening: AbstractAsyncContextManager[_C]) -> AsyncGenerator[_C]:
        """Connect and greet within the time that there is for it, so many at a time."""
        with trio.CancelScope() as scope:
            async with self._connecting_place() as leave:
                scope.deadline = trio.current_time() + ELEMENT_CONNECT_TIMEOUT_S
                async with opening as conversation:
                    scope.deadline = math.inf
                    leave()
                    yield conversation
        if scope.cancelled_caught:
            reason = f"no session within {ELEMENT_CONNECT_TIMEOUT_S:g} s"
            raise self._error(element, "connect", ElementFault.UNREACHABLE, reason)

    @asynccontextmanager
    async def _connecting_place(self) -> AsyncGenerator[Callable[[], None]]:
        """One of the places for those that are connecting; gives what leaves it before the end."""
        await self._connecting.acquire()
        places = [self._connecting]

        def leave() -> None:
            while places:
                places.pop().release()

        try:
            yield leave
        finally:
            leave()

    # --- Descriptions ---------------------------------------------------------------------------------------

    def _type(self, element: Element) -> ElementType:
        kind = self._types.get(element.type_name)
        if kind is None:
            reason = f"its type {element.type_name!r} is described in no file of the folder of element types"
            raise self._error(element, "connect", ElementFault.UNSUPPORTED, reason)
        return kind

    @staticmethod
    def _error(
        element: Element, operation: str, fault: ElementFault, reason: str, path: str = ""
    ) -> ElementError:
        return ElementError(element=element.name, operation=operation, fault=fault, reason=reason, path=path)


@asynccontextmanager
async def _netconf_conversation(
    element: Element, credential: Credential, description: NetconfDescription
) -> AsyncGenerator[Conversation]:
    async with open_transport(element, credential, keepalive_s=description.keepalive_s) as transport:
        conversation = Conversation(element.name, transport)
        await conversation.open(ELEMENT_CONNECT_TIMEOUT_S)
        yield conversation


@asynccontextmanager
async def _cli_conversation(
    element: Element, credential: Credential, command_line: CommandLine
) -> AsyncGenerator[CliConversation]:
    keepalive_s = command_line.description.keepalive_s
    async with open_transport(element, credential, keepalive_s=keepalive_s, is_shell=True) as transport:
        conversation = CliConversation(element.name, transport, command_line)
        await conversation.open(ELEMENT_CONNECT_TIMEOUT_S, enable_password=credential.enable_password)
        yield conversation
