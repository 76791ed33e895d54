"""The local socket on which each process answers questions about itself: metrics, peers, health.

A question is its name; an answer is msgpack. Both are framed by four octets of length, most significant first. The
socket is a file in the data folder's ``run`` that only our user may open. The first octet of an answer says whether
it is one (0), or why there is none (1, with a text).
"""

import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec
import trio

from ocs.limits import CHANNEL_CONNECTIONS_MAX, CHANNEL_MESSAGE_OCTETS_MAX, CHANNEL_TIMEOUT_S
from ocs.log import get_logger

log = get_logger(__name__)

# An answer is bytes as they are (already msgpack) or anything that msgspec encodes.
Answers = Mapping[str, Callable[[], Any]]
# What takes its time: done to its end whether or not the asker stays.
Errands = Mapping[str, Callable[[], Awaitable[Any]]]

_LENGTH: Final = struct.Struct(">I")
_OK: Final = b"\0"
_REFUSED: Final = b"\1"
_QUESTION_OCTETS_MAX: Final = 256
_SOCKET_PATH_OCTETS_MAX: Final = 103  # sockaddr_un on every system we run on
_encode: Final = msgspec.msgpack.Encoder(enc_hook=str).encode


class WorkerSilentError(Exception):
    """A process did not answer: it is not there, too slow, or refused; ``str()`` says which in one line."""


class WorkerChannel:
    """One process as others see it.

    Args:
        name: as people know it: ``worker-0``.
        path: its socket.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name: Final = name
        self.path: Final = path

    async def ask(self, question: str, *, timeout_s: float = CHANNEL_TIMEOUT_S) -> bytes:
        """Ask one thing; the answer is msgpack.

        Cancellation closes the connection; the worker does not notice more than that.

        Raises:
            WorkerSilentError: no answer in time, or none at all.
        """
        try:
            with trio.fail_after(timeout_s), _short_path(self.path) as path:
                async with await trio.open_unix_socket(path) as stream:
                    await _send_frame(stream, question.encode())
                    answer = await _receive_frame(stream, octets_max=CHANNEL_MESSAGE_OCTETS_MAX)
        except trio.TooSlowError:
            raise WorkerSilentError(f"{self.name}: no answer within {timeout_s:g} s") from None
        except (OSError, trio.BrokenResourceError, _FrameError) as error:
            raise WorkerSilentError(f"{self.name}: {error or 'connection lost'}") from None
        if answer is None:
            raise WorkerSilentError(f"{self.name}: it hung up")
        if answer[:1] != _OK:
            raise WorkerSilentError(f"{self.name}: {answer[1:].decode('utf-8', 'replace')}")
        return answer[1:]


async def ask_all(
    channels: Sequence[WorkerChannel], question: str, *, timeout_s: float = CHANNEL_TIMEOUT_S
) -> dict[str, bytes | WorkerSilentError]:
    """Ask every worker at once; who did not answer is in the result, by name, and spoils nothing."""
    answers: dict[str, bytes | WorkerSilentError] = {}

    async def ask_one(channel: WorkerChannel) -> None:
        try:
            answers[channel.name] = await channel.ask(question, timeout_s=timeout_s)
        except WorkerSilentError as error:
            answers[channel.name] = error

    async with trio.open_nursery() as nursery:
        for channel in channels:
            nursery.start_soon(ask_one, channel)
    return {channel.name: answers[channel.name] for channel in channels}


async def find_workers(run: Path) -> list[WorkerChannel]:
    """Find the workers of a data folder: those that ``ocs up`` keeps, running or not, and those started by hand.

    A worker started by hand that was killed leaves its socket and is found until its number runs again, or until the
    next ``ocs up``.

    Args:
        run: the data folder's ``run``.
    """
    names = _sockets(run)
    try:
        kept = await WorkerChannel("up", run / "up.sock").ask("workers")
        names |= set(msgspec.msgpack.decode(kept, type=list[str]))
    except (WorkerSilentError, msgspec.DecodeError):
        pass  # nobody keeps workers here, or it is shown as silent itself
    return [WorkerChannel(name, run / f"{name}.sock") for name in sorted(names, key=_by_number)]


def _sockets(run: Path) -> set[str]:
    return {path.stem for path in run.glob("worker-*.sock")}


def _by_number(name: str) -> tuple[int, str]:
    number = name.rpartition("-")[2]
    return (int(number) if number.isdigit() else 0, name)


async def serve_worker_channel(
    path: Path,
    answers: Answers,
    errands: Errands = MappingProxyType({}),
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer questions on a local socket until cancelled; report started when it listens.

    A socket file that a killed process left is replaced. Cancellation closes all connections and removes the file.

    Args:
        path: where to listen; its folder is made when missing.
        answers: what to call for which question. A call must be short: it runs between two requests of gateways.
        errands: likewise, and may take its time; the asker says how long it waits.
        task_status: trio's.
    """
    connections = trio.CapacityLimiter(CHANNEL_CONNECTIONS_MAX)

    async def converse(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                connections.acquire_nowait()
            except trio.WouldBlock:
                return
            try:
                await _answer_questions(stream, answers, errands)
            finally:
                connections.release()

    listener = _listen(path)
    own = _inode(path)
    task_status.started()
    try:
        await trio.serve_listeners(converse, [listener])
    finally:
        _remove(path, own)


async def _answer_questions(stream: trio.SocketStream, answers: Answers, errands: Errands) -> None:
    """Serve one asker until it hangs up, dribbles, or breaks the framing."""
    try:
        while True:
            with trio.fail_after(CHANNEL_TIMEOUT_S):
                frame = await _receive_frame(stream, octets_max=_QUESTION_OCTETS_MAX)
            if frame is None:
                return
            question = frame.decode("utf-8", "replace")
            errand = errands.get(question)
            content = _answer(question, answers) if errand is None else _OK + _encode(await errand())
            with trio.fail_after(CHANNEL_TIMEOUT_S):
                await _send_frame(stream, content)
    except (OSError, trio.BrokenResourceError, trio.TooSlowError, _FrameError):
        return


def _answer(question: str, answers: Answers) -> bytes:
    if question not in answers:
        return _REFUSED + b"it does not know this question"
    try:
        answer = answers[question]()
        encoded = answer if isinstance(answer, bytes) else _encode(answer)
    except Exception:
        # A fault while counting must not end the process that charges.
        log.exception("worker_channel_question_failed", question=question)
        return _REFUSED + b"it failed to answer; its log says why"
    if len(encoded) >= CHANNEL_MESSAGE_OCTETS_MAX:
        return _REFUSED + b"its answer is too long"
    return _OK + encoded


# --- Framing -----------------------------------------------------------------------------------------------------


class _FrameError(Exception):
    """The other side does not keep to the framing."""


async def _send_frame(stream: trio.SocketStream, content: bytes) -> None:
    await stream.send_all(_LENGTH.pack(len(content)) + content)


async def _receive_frame(stream: trio.SocketStream, *, octets_max: int) -> bytes | None:
    """Receive one frame; None when the other side hung up between two."""
    head = await _receive_exactly(stream, _LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > octets_max:
        raise _FrameError(f"a message of {length} octets is too long")
    content = await _receive_exactly(stream, length)
    if len(content) < length:
        raise _FrameError("it hung up within a message")
    return content


async def _receive_exactly(stream: trio.SocketStream, length: int) -> bytes:
    """Receive so many octets; nothing when the other side hung up before the first.

    Raises:
        _FrameError: it hung up in between.
    """
    content = bytearray()
    while len(content) < length:
        part = await stream.receive_some(length - len(content))
        if not part:
            if content:
                raise _FrameError("it hung up within a message")
            break
        content += part
    return bytes(content)


# --- Socket files ------------------------------------------------------------------------------------------------


@contextmanager
def _short_path(path: Path) -> Generator[str]:
    """A name of the socket that fits into an address, however deep the data folder lies (Linux)."""
    if len(os.fsencode(path)) <= _SOCKET_PATH_OCTETS_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _listen(path: Path) -> trio.SocketListener:
    """Listen on a socket that only our user may open, in place of one that a killed process left."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short_path(path) as name:
            listening.bind(name)
        path.chmod(0o600)
        listening.listen(CHANNEL_CONNECTIONS_MAX)
        return trio.SocketListener(trio.socket.from_stdlib_socket(listening))
    except BaseException:
        listening.close()
        raise


def _inode(path: Path) -> int:
    try:
        return path.lstat().st_ino
    except FileNotFoundError:
        return 0


def _remove(path: Path, own: int) -> None:
    """Remove our socket file, unless a successor has put its own there."""
    if _inode(path) == own:
        path.unlink(missing_ok=True)
