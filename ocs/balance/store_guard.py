"""Whether a server of the store is still what money needs, asked again and again while it is charged against.

What is checked at the start can be changed under us: ``CONFIG SET appendfsync no`` takes the barrier out of every
answer and nothing fails; somebody's ``FUNCTION LOAD REPLACE`` commits by other rules; a cluster's node may come back
without its partitions while the store's description, elsewhere, says that all is well. Until it is mended, commits to
that server are refused.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import structlog

from ocs.balance.keys import home_key
from ocs.balance.redis_connection import Reply
from ocs.balance.redis_stream import Command, pack_command
from ocs.balance.store_admin import (
    NEEDED_CONFIGURATION,
    StoreRefusedError,
    check_configuration,
    library_digest,
)
from ocs.metrics import Gauge

log = structlog.get_logger()

_UNSAFE: Final = Gauge(
    "ocs_store_unsafe",
    "1 while a server is not set up as money needs, has other functions, or lost its partitions.",
    ("server",),
    merge="max",
)

_CONFIGURATION: Final = pack_command(("CONFIG", "GET", *NEEDED_CONFIGURATION))
Send = Callable[[bytes, Callable[[Reply], None]], None]


def home_question(partition: int) -> Command:
    """Asks whose a partition is."""
    return ("GET", home_key(partition))


class StoreGuard:
    """Asks servers, and says what is wrong with them.

    Args:
        created_s: of the store's description: what each partition's mark says.
        library: text of our functions, with its ``#!lua name=...`` line.
        fsync: whether an answer waits for the disk (not under ``durability = "memory"``).
    """

    def __init__(self, *, created_s: int, library: str, fsync: bool) -> None:
        self._mark = str(created_s).encode()
        self._library = library.encode()
        name = library.partition("\n")[0].removeprefix("#!lua name=")
        self._functions = pack_command(("FUNCTION", "LIST", "LIBRARYNAME", name, "WITHCODE"))
        self._fsync = fsync
        self.other_library = ""

    def ask(
        self,
        send: Send,
        server: str,
        partition: int | None,
        told: Callable[[str], None],
        library_missed: Callable[[], None],
    ) -> None:
        """Put all questions to one server.

        Args:
            send: sends one command to it.
            partition: one that it holds; None when it holds none.
            told: gets what is wrong, "" when nothing is; is not called when an answer is missing.
            library_missed: called when the functions have to be loaded.
        """
        replies: list[Reply] = []
        questions = [_CONFIGURATION, self._functions]
        if partition is not None:
            questions.append(pack_command(home_question(partition)))

        def take(reply: Reply) -> None:
            replies.append(reply)
            if len(replies) < len(questions) or not all(map(_is_answer, replies)):
                return
            fault = self.judge(server, replies)
            if not self._is_ours(replies[1]):
                library_missed()
            told(fault)

        for question in questions:
            send(question, take)

    def judge(self, server: str, replies: Sequence[Reply]) -> str:
        """Say what is wrong with a server by its answers; "" when nothing is."""
        try:
            check_configuration(server, _pairs(replies[0]), fsync=self._fsync)
        except StoreRefusedError as error:
            return str(error)
        if not self._is_ours(replies[1]):
            return f"{server}: its functions are not ours: they are loaded again"
        return self.judge_home(server, replies[2]) if len(replies) > 2 else ""

    def judge_home(self, server: str, reply: Reply) -> str:
        """Say whether a server has lost its partitions, by the mark of one; "" when it has not."""
        if reply == self._mark:
            return ""
        return f"{server} has lost what it held: restore it from its newest backup"

    def _is_ours(self, reply: Reply) -> bool:
        code = _code_of(reply)
        # Another release beside us may have loaded its own, and has said so.
        return code is not None and (code == self._library or library_digest(code) == self.other_library)


class ServerFault:
    """What is wrong with one server; says it once, and when it is over."""

    def __init__(self, server: str) -> None:
        self._server = server
        self.reason = ""

    def set(self, reason: str) -> None:
        """Take what the guard has found."""
        if reason == self.reason:
            return
        self.reason = reason
        _UNSAFE.set(int(bool(reason)), self._server)
        if reason:
            log.error(
                "store_unsafe",
                server=self._server,
                reason=reason,
                remedy="mend it: requests for its accounts are refused (3004) until then",
            )
        else:
            log.info("store_safe_again", server=self._server)

    def close(self) -> None:
        """The server is none of the store's any more."""
        _UNSAFE.remove(self._server)


def _is_answer(reply: Reply) -> bool:
    return reply is None or isinstance(reply, list | bytes)


def _pairs(reply: Reply) -> dict[str, str]:
    """What CONFIG GET lists."""
    words = [word.decode() for word in cast("list[bytes]", reply)]
    return dict(zip(words[::2], words[1::2], strict=True))


def _code_of(reply: Reply) -> bytes | None:
    """The text of the one library that FUNCTION LIST names."""
    for library in cast("list[list[Any]]", reply):
        for name, value in zip(library[::2], library[1::2], strict=True):
            if name == b"library_code":
                return value
    return None
