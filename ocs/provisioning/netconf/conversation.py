"""One NETCONF session over a transport: an operation goes out, its answer comes back, in bounded time."""

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

import trio

from ocs.limits import ELEMENT_FAREWELL_TIMEOUT_S, NETCONF_MESSAGE_OCTETS_MAX, NETCONF_NOTIFICATIONS_MAX
from ocs.log import get_logger
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.netconf import operations
from ocs.provisioning.netconf.capabilities import Capabilities
from ocs.provisioning.netconf.documents import XmlElement, names_of
from ocs.provisioning.netconf.messages import Hello, Message, Notification, Reply
from ocs.provisioning.netconf.session import Session, SessionError, SessionState
from ocs.provisioning.netconf.transport import Transport

log = get_logger(__name__)


class Conversation:
    """Asks and waits; used by one task at a time.

    Every fault of the element or of the way to it is an :class:`ElementError`. After UNREACHABLE and PROTOCOL, and
    after a cancellation, it is over.
    """

    def __init__(
        self, name: str, transport: Transport, *, octets_max: int = NETCONF_MESSAGE_OCTETS_MAX
    ) -> None:
        """Begin.

        Args:
            name: the element's. transport: to it. octets_max: the longest answer that is taken.
        """
        self._name = name
        self._transport = transport
        self._session = Session(octets_max)
        self._notifications: deque[Notification] = deque()
        self._answers: dict[str, Reply] = {}

    @property
    def session_id(self) -> int:
        """The element's number for this session."""
        return self._session.session_id

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._session.state is SessionState.OPEN

    @property
    def capabilities(self) -> Capabilities:
        """What the element's hello said.

        Raises:
            ElementError: there was none yet.
        """
        if self._session.capabilities is None:
            raise self._error("hello", ElementFault.PROTOCOL, "no hello has come")
        return self._session.capabilities

    async def open(self, timeout_s: float) -> None:
        """Exchange hellos.

        Raises:
            ElementError: UNREACHABLE or PROTOCOL.
        """
        with self._bounded("hello", timeout_s):
            await self._send("hello", self._session.hello())
            while self._session.state is SessionState.GREETING:
                await self._receive("hello")

    async def call(self, operation: XmlElement, timeout_s: float) -> Reply:
        """Have an operation done.

        Returns:
            The answer, with the errors that it holds: what they mean depends on the operation.

        Raises:
            ElementError: UNREACHABLE or PROTOCOL: whether it was done is not known.
        """
        name = names_of(operation)[1]
        if self._session.state is SessionState.CLOSED:
            raise self._error(name, ElementFault.UNREACHABLE, "the session is over")
        try:
            with self._bounded(name, timeout_s):
                reply = await self._exchange(name, operation)
        except SessionError as error:
            raise self._error(name, ElementFault.PROTOCOL, str(error)) from None
        except BaseException:
            # Also when we are cancelled: the answer may still come, and nobody would know whose it is.
            self._session.end()
            raise
        for warning in reply.warnings:
            log.warning("element_warns", element=self._name, operation=name, reason=str(warning))
        return reply

    async def _exchange(self, name: str, operation: XmlElement) -> Reply:
        message_id, octets = self._session.request(operation)
        await self._send(name, octets)
        while message_id not in self._answers:
            await self._receive(name)
        return self._answers.pop(message_id)

    async def notification(self) -> Notification:
        """The next notification, however long it takes; the connection's keepalive finds out when the element is gone.

        Raises:
            ElementError: UNREACHABLE or PROTOCOL.
        """
        while not self._notifications:
            await self._receive("notification")
        return self._notifications.popleft()

    async def close(self) -> None:
        """Say goodbye, if the element takes it in a moment (RFC 6241 section 7.8)."""
        if not self.is_open:
            return
        try:
            await self.call(operations.close_session(), ELEMENT_FAREWELL_TIMEOUT_S)
        except ElementError as error:
            log.debug("element_farewell", element=self._name, reason=error.reason)
        self._session.end()

    async def _send(self, operation: str, octets: bytes) -> None:
        try:
            await self._transport.send(octets)
        except OSError as error:
            self._session.end()
            raise self._error(operation, ElementFault.UNREACHABLE, f"the connection broke: {error}") from None

    async def _receive(self, operation: str) -> None:
        try:
            data = await self._transport.receive()
        except OSError as error:
            where = self._session.end()
            raise self._error(
                operation, ElementFault.UNREACHABLE, f"the connection broke {where}: {error}"
            ) from None
        if not data:
            where = self._session.end()
            raise self._error(
                operation, ElementFault.UNREACHABLE, f"the element ended the connection {where}".rstrip()
            )
        try:
            for message in self._session.receive(data):
                self._sort(message)
        except SessionError as error:
            raise self._error(operation, ElementFault.PROTOCOL, str(error)) from None

    def _sort(self, message: Message) -> None:
        match message:
            case Hello():
                pass
            case Reply():
                self._answers[message.message_id] = message
            case Notification():
                if len(self._notifications) >= NETCONF_NOTIFICATIONS_MAX:
                    self._session.end()
                    raise SessionError(
                        f"more than {NETCONF_NOTIFICATIONS_MAX} notifications before an answer"
                    )
                self._notifications.append(message)

    @contextmanager
    def _bounded(self, operation: str, timeout_s: float) -> Generator[None]:
        try:
            with trio.fail_after(timeout_s):
                yield
        except trio.TooSlowError:
            self._session.end()
            raise self._error(
                operation, ElementFault.UNREACHABLE, f"no answer within {timeout_s:g} s"
            ) from None

    def _error(self, operation: str, fault: ElementFault, reason: str) -> ElementError:
        return ElementError(element=self._name, operation=operation, fault=fault, reason=reason)
