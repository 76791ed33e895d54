"""A NETCONF session as a client sees it: hello, requests and their answers, notifications between them. Pure.

Octets go in, messages come out; what is to be sent is given back. The table of states is all there is of its life.
"""

import enum
from typing import Final

from ocs.limits import NETCONF_MESSAGE_OCTETS_MAX, NETCONF_REQUESTS_MAX
from ocs.provisioning.netconf.capabilities import BASE_1_0, BASE_1_1, Capabilities
from ocs.provisioning.netconf.documents import XmlElement
from ocs.provisioning.netconf.framing import FramingError, MessageReader, frame
from ocs.provisioning.netconf.messages import (
    Hello,
    Message,
    MessageError,
    Notification,
    Reply,
    read_message,
    write_hello,
    write_rpc,
)


class SessionState(enum.Enum):
    """Where a session is in its life."""

    GREETING = "greeting"  # hellos are under way
    OPEN = "open"
    CLOSED = "closed"  # nothing more is sent or read


class _Event(enum.Enum):
    HELLO = "hello"
    REPLY = "reply"
    NOTIFICATION = "notification"
    REQUEST = "request"
    END = "end"
    FAULT = "fault"


# RFC 6241 sections 4 and 8.1. What is not here must not happen: it ends the session.
TRANSITIONS: Final = {
    (SessionState.GREETING, _Event.HELLO): SessionState.OPEN,
    (SessionState.GREETING, _Event.END): SessionState.CLOSED,
    (SessionState.GREETING, _Event.FAULT): SessionState.CLOSED,
    (SessionState.OPEN, _Event.REPLY): SessionState.OPEN,
    (SessionState.OPEN, _Event.NOTIFICATION): SessionState.OPEN,
    (SessionState.OPEN, _Event.REQUEST): SessionState.OPEN,
    (SessionState.OPEN, _Event.END): SessionState.CLOSED,
    (SessionState.OPEN, _Event.FAULT): SessionState.CLOSED,
}


class SessionError(Exception):
    """The element does not keep to the protocol: the session is closed, and what was asked for may be done or not."""


class Session:
    """One session.

    Attributes:
        state: where it is. session_id: the element's number for it, 0 before its hello.
        capabilities: what its hello said; None before it.
    """

    def __init__(self, octets_max: int = NETCONF_MESSAGE_OCTETS_MAX) -> None:
        """Begin.

        Args:
            octets_max: the longest message that is taken.
        """
        self.state = SessionState.GREETING
        self.session_id = 0
        self.capabilities: Capabilities | None = None
        self._reader = MessageReader(octets_max)
        self._is_chunked = False
        self._last_message_id = 0
        # Message-ids that wait for their answers.
        self._outstanding: set[str] = set()

    @property
    def is_chunked(self) -> bool:
        """Whether both speak base:1.1."""
        return self._is_chunked

    def hello(self) -> bytes:
        """What is sent first."""
        return frame(write_hello((BASE_1_0, BASE_1_1)), is_chunked=False)

    def request(self, operation: XmlElement) -> tuple[str, bytes]:
        """A request.

        Returns:
            The message-id that its answer will have, and what is to be sent.

        Raises:
            SessionError: the session is not open, or too many wait for answers.
        """
        if len(self._outstanding) >= NETCONF_REQUESTS_MAX:
            raise SessionError(f"{NETCONF_REQUESTS_MAX} requests wait for their answers already")
        self._step(_Event.REQUEST, "a request")
        self._last_message_id += 1
        message_id = str(self._last_message_id)
        self._outstanding.add(message_id)
        return message_id, frame(write_rpc(self._last_message_id, operation), is_chunked=self._is_chunked)

    def receive(self, data: bytes) -> list[Message]:
        """Take what came.

        Returns:
            The messages that are complete by it, in their order.

        Raises:
            SessionError: something is not NETCONF; what was complete before it is lost with the session.
        """
        self._reader.feed(data)
        messages: list[Message] = []
        try:
            while (octets := self._reader.next_message()) is not None:
                message = read_message(octets)
                self._take(message)
                messages.append(message)
        except (FramingError, MessageError) as error:
            self.state = SessionState.CLOSED
            raise SessionError(str(error)) from None
        return messages

    def end(self) -> str:
        """The stream ended.

        Returns:
            What it ended in the middle of; empty when nothing was under way.
        """
        state, self.state = self.state, SessionState.CLOSED
        if state is SessionState.GREETING:
            return "before its hello"
        if not self._reader.is_between_messages:
            return "in the middle of a message"
        return "before its answer" if self._outstanding else ""

    def _take(self, message: Message) -> None:
        match message:
            case Hello():
                self._step(_Event.HELLO, "a hello")
                self._greet(message)
            case Reply():
                self._step(_Event.REPLY, "an answer")
                if message.message_id not in self._outstanding:
                    self.state = SessionState.CLOSED
                    told = f": {message.errors[0]}" if message.errors else ""
                    raise SessionError(f"an answer to no request of ours: {message.message_id[:32]!r}{told}")
                self._outstanding.discard(message.message_id)
            case Notification():
                self._step(_Event.NOTIFICATION, "a notification")

    def _greet(self, hello: Hello) -> None:
        """RFC 6241 section 8.1: the highest version that both have."""
        if not hello.capabilities.base:
            self.state = SessionState.CLOSED
            raise SessionError("it speaks neither base:1.0 nor base:1.1")
        self.session_id = hello.session_id
        self.capabilities = hello.capabilities
        if "1.1" in hello.capabilities.base:
            self._is_chunked = True
            self._reader.use_chunks()

    def _step(self, event: _Event, what: str) -> None:
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            was, self.state = self.state, SessionState.CLOSED
            raise SessionError(f"{what} while the session is {was.value}")
        self.state = after
