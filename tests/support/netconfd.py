"""netconfd (yuma123, Debian: netconfd) behind OpenSSH's sshd: a NETCONF server that we did not write.

Each has folder, socket, port and keys of its own, so several run at once.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ocs.provisioning.credentials import Credential
from ocs.provisioning.element import Element

NETCONFD = shutil.which("netconfd", path="/usr/sbin:/usr/bin")
SUBSYSTEM = shutil.which("netconf-subsystem", path="/usr/sbin:/usr/bin")
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")

needs_netconfd = pytest.mark.skipif(
    None in {NETCONFD, SUBSYSTEM, SSHD} or shutil.which("ssh-keygen") is None,
    reason="netconfd (Debian: netconfd) or sshd (Debian: openssh-server) is not installed",
)

MODULES = ("iana-if-type", "ietf-interfaces")
_PATIENCE_S = 20.0
_PORTS_TRIED = 5


@dataclass
class Netconfd:
    """A server that runs."""

    folder: Path
    port: int
    host_key: str
    private_key: str
    arguments: tuple[str, ...] = ()
    server: "subprocess.Popen[bytes] | None" = None

    @property
    def credential(self) -> Credential:
        return Credential(user=getpass.getuser(), key=self.private_key)

    def element(
        self, name: str = "netconfd", type_name: str = "yuma", host_key: str | None = None
    ) -> Element:
        return Element(
            name=name,
            type_name=type_name,
            address="127.0.0.1",
            port=self.port,
            credential="lab",
            host_key=self.host_key if host_key is None else host_key,
        )

    def start(self) -> None:
        """Start netconfd, with an empty configuration; sshd goes on meanwhile."""
        assert self.server is None
        assert NETCONFD is not None
        (self.folder / "ncx.sock").unlink(missing_ok=True)
        log = (self.folder / "netconfd.log").open("ab")
        self.server = subprocess.Popen(
            [
                NETCONFD,
                *(f"--module={module}" for module in MODULES),
                f"--superuser={getpass.getuser()}",
                f"--ncxserver-sockname={self.folder / 'ncx.sock'}",
                "--no-startup",
                "--target=candidate",
                "--log-level=info",
                *self.arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(self.folder)},
            cwd=self.folder,  # where it leaves backups of its configuration
        )
        log.close()
        self._await_listener()

    def _await_listener(self) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        while True:
            assert self.server is not None
            assert self.server.poll() is None, (self.folder / "netconfd.log").read_text(errors="replace")
            assert time.monotonic() < deadline_s, "netconfd does not listen"
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.folder / "ncx.sock"))
                return
            time.sleep(0.02)

    def kill(self) -> None:
        """End netconfd as a crash would."""
        assert self.server is not None
        self.server.send_signal(signal.SIGKILL)
        self.server.wait()
        self.server = None


@contextlib.contextmanager
def netconfd(arguments: Sequence[str] = ()) -> Generator[Netconfd]:
    """Run a server; its folder is short, for the sake of the socket's name."""
    with tempfile.TemporaryDirectory(prefix="netconfd-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for key in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(folder / key)]
            subprocess.run(command, check=True)
        (folder / "subsystem").write_text(
            "#!/bin/sh\n"
            # netconfd serves only connections to ports that it was told of; what sshd says is nothing to it.
            "SSH_CONNECTION='127.0.0.1 1 127.0.0.1 830' "
            f"exec {SUBSYSTEM} --ncxserver-sockname=830@{folder / 'ncx.sock'}\n"
        )
        (folder / "subsystem").chmod(0o755)
        with _sshd(folder) as port:
            server = Netconfd(
                folder,
                port,
                " ".join((folder / "host.pub").read_text().split()[:2]),
                (folder / "user").read_text(),
                tuple(arguments),
            )
            server.start()
            try:
                yield server
            finally:
                if server.server is not None:
                    server.kill()


@contextlib.contextmanager
def _sshd(folder: Path) -> Generator[int]:
    """Run sshd on a free port; it cannot choose one by itself, so somebody may be quicker."""
    assert SSHD is not None
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it when it starts as root
    for _ in range(_PORTS_TRIED):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        (folder / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\n"
            f"AuthorizedKeysFile {folder / 'user.pub'}\nPidFile none\nStrictModes no\nUsePAM no\n"
            f"PasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 100\nSubsystem netconf {folder / 'subsystem'}\n"
        )
        command = [SSHD, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            if _listens(server, port):
                yield port
                return
        finally:
            server.terminate()
            server.wait()
    raise AssertionError((folder / "sshd.log").read_text(errors="replace"))


def _listens(server: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline_s = time.monotonic() + _PATIENCE_S
    while server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        assert time.monotonic() < deadline_s, "sshd does not listen"
        time.sleep(0.02)
    return False
