"""An element in memory that answers NETCONF as a test tells it to."""

from collections.abc import Callable, Sequence

import trio

from ocs.provisioning.credentials import Secrets
from ocs.provisioning.element import Element
from ocs.provisioning.element_type import NetconfDescription
from ocs.provisioning.netconf.conversation import Conversation
from ocs.provisioning.netconf.documents import NETCONF, XmlElement, names_of, parse_document
from ocs.provisioning.netconf.framing import MessageReader, frame
from ocs.provisioning.netconf.netconf_session import NetconfSession
from tests.support.elements import standard_schema

CAPABILITY = "urn:ietf:params:netconf:capability:"
CANDIDATE = ("candidate:1.0", "confirmed-commit:1.1", "validate:1.1", "rollback-on-error:1.0")
RUNNING = ("writable-running:1.0", "rollback-on-error:1.0")

# Given an operation, what stands inside the answer; None answers nothing.
Script = Callable[[XmlElement], str | bytes | None]


def error(tag: str, *, session_id: int | None = None, error_type: str = "protocol", more: str = "") -> str:
    held = "" if session_id is None else f"<error-info><session-id>{session_id}</session-id></error-info>"
    return (
        f"<rpc-error><error-type>{error_type}</error-type><error-tag>{tag}</error-tag>"
        f"<error-severity>error</error-severity>{more}{held}</rpc-error>"
    )


class ScriptedElement:
    """Both the element and the way to it.

    Attributes:
        asked: the operations so far; `said` in words, such as ``lock candidate``.
        cuts: what it sends comes in pieces of so many octets.
    """

    def __init__(
        self,
        capabilities: Sequence[str] = CANDIDATE,
        script: Script | None = None,
        *,
        base: Sequence[str] = ("1.0", "1.1"),
        hello: bytes | None = None,
    ) -> None:
        self.asked: list[XmlElement] = []
        self.cuts = 1_000_000
        self._script = script or (lambda _: "<ok/>")
        self._reader = MessageReader()
        self._is_chunked = "1.1" in base
        self._has_greeted = False
        listed = [f"urn:ietf:params:netconf:base:{one}" for one in base]
        listed += [one if ":" in one.partition("?")[0][:4] else f"{CAPABILITY}{one}" for one in capabilities]
        text = "".join(f"<capability>{one.replace('&', '&amp;')}</capability>" for one in listed)
        self._hello = hello or frame(
            f"<hello xmlns='{NETCONF}'><capabilities>{text}</capabilities><session-id>5</session-id></hello>".encode(),
            is_chunked=False,
        )
        self._out, self._in = trio.open_memory_channel[bytes](1_000_000)

    @property
    def said(self) -> list[str]:
        return [spoken(operation) for operation in self.asked]

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._reader.feed(data)
        while (octets := self._reader.next_message()) is not None:
            if not self._has_greeted:
                self._has_greeted = True
                if self._is_chunked:
                    self._reader.use_chunks()
                self.give(self._hello)
                continue
            rpc = parse_document(octets)
            self.asked.append(rpc[0])
            inside = self._script(rpc[0])
            if isinstance(inside, bytes):
                self.give(inside)
            elif inside is not None:
                reply = (
                    f"<rpc-reply xmlns='{NETCONF}' message-id='{rpc.get('message-id')}'>{inside}</rpc-reply>"
                )
                self.give(frame(reply.encode(), is_chunked=self._is_chunked))

    def give(self, octets: bytes) -> None:
        for at in range(0, len(octets), self.cuts):
            self._out.send_nowait(octets[at : at + self.cuts])

    def hang_up(self) -> None:
        self._out.close()

    async def receive(self) -> bytes:
        try:
            return await self._in.receive()
        except trio.EndOfChannel:
            return b""


def spoken(operation: XmlElement) -> str:
    """An operation in words: its name, then names and texts of what matters."""
    words = [names_of(operation)[1]]
    for item in operation:
        name = names_of(item)[1]
        if name in {"target", "source"} and len(item):
            words.append(names_of(item[0])[1])
        elif name in {
            "test-option",
            "error-option",
            "persist-id",
            "persist",
            "confirm-timeout",
            "session-id",
        }:
            words.append(f"{name}={item.text}")
        elif name == "with-defaults":
            words.append(f"with-defaults={item.text}")
    return " ".join(words)


async def opened(
    element: ScriptedElement,
    description: NetconfDescription | None = None,
    secrets: Secrets | None = None,
    *,
    octets_max: int = 100_000,
) -> NetconfSession:
    """A session with it."""
    conversation = Conversation("box", element, octets_max=octets_max)
    await conversation.open(10)
    return NetconfSession(
        Element(name="box", type_name="netconf", address="::1", port=830, credential="lab"),
        description or NetconfDescription(modules=("ietf-interfaces",)),
        conversation,
        schema=standard_schema(),
        secrets=secrets or Secrets({}),
    )
