"""Messages of NETCONF over SSH (RFC 6242): end-of-message marks of base 1.0, chunks of base 1.1. Pure."""

from typing import Final

END_MARK: Final = b"]]>]]>"
END_OF_CHUNKS: Final = b"\n##\n"
MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
_CHUNK_BYTES: Final = 65_536
_CHUNK_BYTES_MAX: Final = 4_294_967_295
_HEADER_BYTES_MAX: Final = 13  # LF # and ten digits LF


class FramingError(ValueError):
    """What came is no message; the session is over."""


class Framing:
    """Bytes in, whole messages out, and the other way round.

    Attributes:
        is_chunked: base 1.1; to be set once both hellos have been seen.
    """

    def __init__(self) -> None:
        self.is_chunked = False
        self._waiting = bytearray()
        self._chunks = bytearray()

    def receive(self, data: bytes) -> None:
        """Take in what came."""
        self._waiting += data
        if len(self._waiting) + len(self._chunks) > MESSAGE_BYTES_MAX:
            raise FramingError("a message of more than 64 MiB")

    def next_message(self) -> bytes | None:
        """The next whole message, if there is one.

        Raises:
            FramingError: what came is no message.
        """
        return self._next_chunked() if self.is_chunked else self._next_marked()

    def _next_marked(self) -> bytes | None:
        end = self._waiting.find(END_MARK)
        if end < 0:
            return None
        message = bytes(self._waiting[:end])
        del self._waiting[: end + len(END_MARK)]
        return message

    def _next_chunked(self) -> bytes | None:
        while True:
            if self._waiting.startswith(END_OF_CHUNKS):
                if not self._chunks:
                    raise FramingError("an end of chunks without a chunk")
                message = bytes(self._chunks)
                self._chunks.clear()
                del self._waiting[: len(END_OF_CHUNKS)]
                return message
            header = bytes(self._waiting[: _HEADER_BYTES_MAX + 1])
            end = header.find(b"\n", 1)
            if header and (header[:1] != b"\n" or header[1:2] not in {b"", b"#"}):
                raise FramingError(f"no chunk: {header!r}")
            if end < 0:
                if len(header) > _HEADER_BYTES_MAX:
                    raise FramingError(f"no chunk: {header!r}")
                return None
            size = header[2:end]
            if size == b"#":
                return None
            if not size.isdigit() or size.startswith(b"0") or int(size) > _CHUNK_BYTES_MAX:
                raise FramingError(f"no chunk size: {size!r}")
            if len(self._waiting) < end + 1 + int(size):
                return None
            self._chunks += self._waiting[end + 1 : end + 1 + int(size)]
            del self._waiting[: end + 1 + int(size)]

    def frame(self, message: bytes) -> bytes:
        """A message as it goes out."""
        if not self.is_chunked:
            return message + END_MARK
        parts = [message[at : at + _CHUNK_BYTES] for at in range(0, len(message), _CHUNK_BYTES)]
        return b"".join(b"\n#%d\n%b" % (len(part), part) for part in parts) + END_OF_CHUNKS
