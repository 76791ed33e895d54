"""A PostgreSQL server of its own for tests, on a Unix socket; as a user that is not root, which it refuses to be."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest

PATIENCE_S = 60.0
_USERS = ("postgres", "nobody")
# Many test runs may have one each at once: little memory, and none that is left over when a run is killed.
_SMALL = (
    "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=30",
    "-c", "dynamic_shared_memory_type=mmap",
)  # fmt: skip
# A Unix socket's path has 107 octets; its name within the folder takes 15.
_FOLDER_OCTETS_MAX = 60


class Postgres:
    """A server; ``url`` names its one database."""

    def __init__(self, folder: Path, binaries: Path, prefix: list[str]) -> None:
        self.folder = folder
        self.url = f"postgresql://ocs@/postgres?host={folder}"
        self._binaries = binaries
        self._prefix = prefix
        self.process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-U", "ocs", "-A", "trust", "-E", "UTF8", "--no-sync"
        )

    def start(self) -> None:
        options = ["-D", str(self.folder / "data"), "-k", str(self.folder), "-c", "listen_addresses="]
        command = [*self._prefix, str(self._binaries / "postgres"), *options, *_SMALL]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        give_up_at = time.monotonic() + PATIENCE_S
        while subprocess.run(
            [self._binaries / "pg_isready", "-q", "-h", self.folder], check=False
        ).returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < give_up_at
            time.sleep(0.02)

    def stop(self) -> None:
        """It ends at once, as after a power cut."""
        if self.process is None:
            return
        if self.process.poll() is None:
            # Of the server itself: with a changed user there is another process between.
            pid = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, signal.SIGQUIT)
        self.process.wait(PATIENCE_S)
        self.process = None

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._prefix, str(self._binaries / program), *arguments],
            cwd=self.folder,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{program} ended with {done.returncode}: {done.stdout}{done.stderr}"


@contextlib.contextmanager
def postgres() -> Generator[Postgres]:
    """A server that runs; skips where there is none to be had."""
    binaries = _find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    # Not in pytest's own folder, into which other users cannot look.
    folder = Path(tempfile.mkdtemp(prefix="ocs-postgres-", dir=_common_folder()))
    try:
        server = Postgres(folder, binaries, _as_somebody(folder))
        server.create()
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _common_folder() -> Path:
    """Where temporary files lie that every user can reach by a short path, whatever TMPDIR says."""
    wanted = Path(tempfile.gettempdir()).resolve()
    is_open = all(folder.stat().st_mode & 0o001 for folder in (wanted, *wanted.parents))
    return wanted if is_open and len(os.fsencode(wanted)) <= _FOLDER_OCTETS_MAX else Path("/", "tmp")


def _find_binaries() -> Path | None:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    # Debian keeps each version's in a folder of its own.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


def _as_somebody(folder: Path) -> list[str]:
    """What runs a command as a user that is not root, to whom the folder is given."""
    if os.geteuid():
        return []
    for name in _USERS:
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            os.chown(folder, user.pw_uid, user.pw_gid)
            return ["runuser", "-u", name, "--"]
    pytest.skip("there is no user but root to run PostgreSQL as")
