"""freeDiameterd between gateway and OCS, and a line to the OCS that can be cut after an answer was swallowed."""

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path

import trustme

from bench.templates import avp, message, unsigned32
from tests.endtoend.lab import PATIENCE_S
from tests.endtoend.wire import CAPABILITIES, CREDIT_CONTROL, TIMEOUT_S, VENDOR_3GPP, Gateway
from tests.endtoend.wireshark import Capture

FREE_DIAMETER = shutil.which("freeDiameterd") or "/usr/bin/freeDiameterd"
EXTENSIONS = Path("/usr/lib/freeDiameter")
IS_INSTALLED = Path(FREE_DIAMETER).exists() and (EXTENSIONS / "dict_dcca.fdx").exists()

# It opens every connection itself, as it would listen on all addresses of the machine.
_CONFIGURATION = """
Identity = "relay.lab.example";
Realm = "lab.example";
Port = 0;
SecPort = 0;
No_SCTP;
No_IPv6;
TLS_Cred = "{folder}/relay.pem", "{folder}/relay.key";
TLS_CA = "{folder}/ca.pem";
LoadExtension = "{extensions}/dict_nasreq.fdx";
LoadExtension = "{extensions}/dict_dcca.fdx";
LoadExtension = "{extensions}/dict_dcca_3gpp.fdx";
"""
_PEER = 'ConnectPeer = "{name}" {{ ConnectTo = "127.0.0.1"; Port = {port}; No_TLS; TwTimer = 6; TcTimer = 1; }};\n'


class Relay:
    """A running freeDiameterd."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def has_open(self, peer: str) -> bool:
        """Whether the connection to a peer has come to the state OPEN."""
        return any("STATE_OPEN" in line and f"'{peer}'" in line for line in self.log.splitlines())


@contextlib.contextmanager
def running_relay(folder: Path, peers: dict[str, int]) -> Generator[Relay]:
    """Run freeDiameterd with these peers, name to port; it is killed at the end of the block.

    Asked to end, it would wait a quarter of a minute for the leave of a peer that is lost.
    """
    authority = trustme.CA()
    certificate = authority.issue_cert("relay.lab.example")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "relay.key")
    (folder / "relay.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    configuration = folder / "freediameter.conf"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, extensions=EXTENSIONS)
        + "".join(_PEER.format(name=name, port=port) for name, port in peers.items())
    )
    with (folder / "freediameter.log").open("wb") as log:
        process = subprocess.Popen(
            [FREE_DIAMETER, "-c", str(configuration)], stdout=log, stderr=subprocess.STDOUT
        )
    relay = Relay(process, folder / "freediameter.log")
    try:
        yield relay
    finally:
        process.kill()
        process.wait()
        print(relay.log)  # pytest shows it with a failure


class RelayedGateway(Gateway):
    """A gateway that the relay calls: listens, is connected to, and answers the relay's CER."""

    def __init__(self, capture: Capture) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIMEOUT_S)
        self._capture = capture

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def accept(self) -> None:
        """Take the relay's connection and exchange capabilities."""
        accepted, _ = self._listener.accept()
        accepted.settimeout(TIMEOUT_S)
        self._begin(accepted, self._capture, "pgw.example", judged=True)
        cer = self.receive()
        body = (
            unsigned32(268, 2001)
            + self.origin
            + avp(257, b"\0\1\x7f\0\0\1")
            + unsigned32(266, VENDOR_3GPP)
            + avp(269, b"test gateway", mandatory=False)
            + unsigned32(258, 4)
        )
        self.send(message(CAPABILITIES, 0, 0, (cer.hop_by_hop, cer.end_to_end), body))

    def close(self) -> None:
        self._listener.close()
        super().close()


class Line:
    """A line to an OCS that records what passes, and on demand swallows an answer and breaks for good.

    Attributes:
        requests: Credit-Control-Requests that passed. answers: likewise, swallowed ones included.
        is_cut: it has broken.

    A relay has one request in flight here, so that of two armed lines one only carries an answer at a time.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.requests: list[bytes] = []
        self.answers: list[bytes] = []
        self._swallows = False
        self._others: list[Line] = []
        self.is_cut = False
        self._begin(self._accept)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _begin(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._sockets += [near, far]
            self._begin(self._pump, near, far, self.requests)
            self._begin(self._pump, far, near, self.answers)

    def _pump(self, source: socket.socket, target: socket.socket, tape: list[bytes]) -> None:
        buffer = b""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                buffer += data
                while len(buffer) >= 4 and len(buffer) >= (length := int.from_bytes(buffer[1:4])):
                    frame, buffer = buffer[:length], buffer[length:]
                    if int.from_bytes(frame[5:8]) == CREDIT_CONTROL:
                        tape.append(frame)
                        if tape is self.answers and self._swallows:
                            for other in self._others:
                                other.carry_on()
                            self.cut()
                            return
                    target.sendall(frame)
            target.shutdown(socket.SHUT_WR)

    def swallow_once(self, others: "list[Line]") -> None:
        """Swallow the next answer and break; the other lines then carry on."""
        self._others = others
        self._swallows = True

    def carry_on(self) -> None:
        """Swallow nothing after all."""
        self._swallows = False

    def cut(self) -> None:
        """Break every connection and take no new one."""
        self.is_cut = True
        for end in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for end in (self._listener, *self._sockets):
            end.close()


@contextlib.contextmanager
def line_to(address: tuple[str, int]) -> Generator[Line]:
    line = Line(address)
    try:
        yield line
    finally:
        line.close()
