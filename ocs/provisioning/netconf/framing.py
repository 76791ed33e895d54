"""Cutting what an element sends into messages, and the other way round (RFC 6242 section 4). Pure.

Both hellos end with ``]]>]]>``. When both name base:1.1, what follows comes in chunks.
"""

from typing import Final

from ocs.limits import NETCONF_HELLO_OCTETS_MAX, NETCONF_MESSAGE_OCTETS_MAX

END_OF_MESSAGE: Final = b"]]>]]>"
_END_OF_CHUNKS: Final = b"\n##\n"
# RFC 6242 section 4.2: chunk-size is 1 to 4294967295.
_CHUNK_SIZE_DIGITS: Final = 10
_CHUNK_SIZE_MAX: Final = 4_294_967_295


class FramingError(Exception):
    """What came is not framed as RFC 6242 says, or is more than we take; nothing after it can be read."""


class MessageReader:
    """Collects octets until messages are complete; the same however they were cut on the way."""

    def __init__(self, octets_max: int = NETCONF_MESSAGE_OCTETS_MAX) -> None:
        """Begin with end-of-message framing.

        Args:
            octets_max: the longest message that is taken after the hello.
        """
        self._octets_max = octets_max
        self._is_chunked = False
        self._buffer = bytearray()
        self._scanned = 0
        self._message = bytearray()
        self._chunk_octets_left = 0
        self._is_hello = True

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._buffer += data

    def use_chunks(self) -> None:
        """From the next message on everything is chunked."""
        self._is_chunked = True

    @property
    def is_between_messages(self) -> bool:
        """Whether nothing of a message has come that is not complete."""
        return not (self._buffer.strip() or self._message or self._chunk_octets_left)

    def next_message(self) -> bytes | None:
        """The next message that is complete; None when more must come first.

        Raises:
            FramingError: nothing more can be read from this stream.
        """
        message = self._next_chunked() if self._is_chunked else self._next_plain()
        if message is not None:
            self._is_hello = False
        return message

    def _next_plain(self) -> bytes | None:
        end = self._buffer.find(END_OF_MESSAGE, max(0, self._scanned - len(END_OF_MESSAGE) + 1))
        if end < 0:
            self._scanned = len(self._buffer)
            self._check_length(self._scanned)
            return None
        self._check_length(end)
        message = bytes(self._buffer[:end])
        del self._buffer[: end + len(END_OF_MESSAGE)]
        self._scanned = 0
        return message

    def _next_chunked(self) -> bytes | None:
        while True:
            if self._chunk_octets_left:
                part = self._buffer[: self._chunk_octets_left]
                if not part:
                    return None
                self._message += part
                del self._buffer[: len(part)]
                self._chunk_octets_left -= len(part)
                continue
            header = self._next_header()
            if header is None:
                return None
            if header:
                self._chunk_octets_left = header
                self._check_length(len(self._message) + header)
                continue
            if not self._message:
                raise FramingError("an end of chunks without a chunk before it")
            message = bytes(self._message)
            self._message.clear()
            return message

    def _next_header(self) -> int | None:
        """The size of the next chunk; 0 at the end of the message; None when it has not come yet."""
        head = bytes(self._buffer[: _CHUNK_SIZE_DIGITS + 3])
        if not b"\n#".startswith(head[:2]):
            raise FramingError(f"expected a chunk's beginning, found {head[:12]!r}")
        end = head.find(b"\n", 2)
        if end < 0:
            if len(head) == _CHUNK_SIZE_DIGITS + 3 or not (head[2:3] in {b"", b"#"} or head[2:].isdigit()):
                raise FramingError(f"expected a chunk's size, found {head[2:]!r}")
            return None
        size = head[2:end]
        del self._buffer[: end + 1]
        if size == b"#":
            return 0
        if not size.isdigit() or size.startswith(b"0") or int(size) > _CHUNK_SIZE_MAX:
            raise FramingError(f"expected a chunk's size from 1 to {_CHUNK_SIZE_MAX}, found {size!r}")
        return int(size)

    def _check_length(self, octets: int) -> None:
        octets_max = NETCONF_HELLO_OCTETS_MAX if self._is_hello else self._octets_max
        if octets > octets_max:
            raise FramingError(f"a message of more than {octets_max} octets")


def frame(message: bytes, *, is_chunked: bool) -> bytes:
    """Make a message ready for the stream."""
    if not is_chunked:
        return message + END_OF_MESSAGE
    return b"\n#%d\n%b%b" % (len(message), message, _END_OF_CHUNKS)
