"""An access server in front of the real system: pyrad's packets, over real UDP. It shares no code with ours."""

import socket
import time
from pathlib import Path

from pyrad import packet as pyrad
from pyrad.dictionary import Dictionary

ROOT = Path(__file__).resolve().parent.parent.parent
DICTIONARY = Dictionary(str(ROOT / "ocs" / "radius" / "dictionary.txt"))
SECRET = b"a secret of the lab that is long enough"
_identifiers = iter(range(1 << 30))
_REPEAT_S = 1.0
_PATIENCE_S = 30.0


class AccessServer:
    """A NAS with one session after the other.

    Attributes:
        orders: where CoA- and Disconnect-Requests come in.
    """

    def __init__(self, nas: str = "ap-1") -> None:
        self.nas = nas
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.orders = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.orders.bind(("127.0.0.1", 0))
        self.auth: tuple[str, int] = ("127.0.0.1", 0)
        self.acct: tuple[str, int] = ("127.0.0.1", 0)

    @property
    def coa_port(self) -> int:
        return self.orders.getsockname()[1]

    def close(self) -> None:
        self.socket.close()
        self.orders.close()

    # --- Requests ---------------------------------------------------------------------------------------

    def access_request(self, user: str, **attributes: object) -> pyrad.AuthPacket:
        request = pyrad.AuthPacket(
            id=self._next(), secret=SECRET, dict=DICTIONARY, message_authenticator=True
        )
        self._fill(request, {"User_Name": user, "Service_Type": "Authorize-Only", **attributes})
        return request

    def accounting_request(self, status: str, session: str, **attributes: object) -> pyrad.AcctPacket:
        request = pyrad.AcctPacket(id=self._next(), secret=SECRET, dict=DICTIONARY)
        told = {"Acct_Status_Type": status, **({"Acct_Session_Id": session} if session else {}), **attributes}
        self._fill(request, told)
        return request

    def _fill(self, request: pyrad.Packet, attributes: dict[str, object]) -> None:
        for name, value in {"NAS_Identifier": self.nas, **attributes}.items():
            request.AddAttribute(name.replace("_", "-"), value)

    def _next(self) -> int:
        return next(_identifiers) % 256

    # --- The wire ---------------------------------------------------------------------------------------

    def exchange(
        self, octets: bytes, to: tuple[str, int], *, patience_s: float = _PATIENCE_S
    ) -> bytes | None:
        """Send a request until its reply comes, as access servers do; None when none does."""
        deadline_s = time.monotonic() + patience_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self.socket.sendto(octets, to)
            self.socket.settimeout(min(_REPEAT_S, left_s))
            try:
                while True:
                    reply, _ = self.socket.recvfrom(4096)
                    if reply[1] == octets[1]:
                        return reply
            except TimeoutError:
                continue
        return None

    def ask(self, request: pyrad.AuthPacket) -> pyrad.Packet:
        """Send an Access-Request; its reply, which pyrad has found genuine and signed."""
        reply = self.exchange(request.RequestPacket(), self.auth)
        assert reply is not None, "no reply to an Access-Request"
        found = request.CreateReply(packet=reply)
        assert request.VerifyReply(found, reply, enforce_ma=True)
        return found

    def report(self, request: pyrad.AcctPacket, *, patience_s: float = _PATIENCE_S) -> bool:
        """Send an Accounting-Request; whether a genuine reply came."""
        reply = self.exchange(request.RequestPacket(), self.acct, patience_s=patience_s)
        if reply is None:
            return False
        found = request.CreateReply(packet=reply)
        assert request.VerifyReply(found, reply)
        assert found.code == pyrad.AccountingResponse
        return True

    def await_order(self) -> pyrad.CoAPacket:
        """The next order that comes, found genuine; it is followed (acknowledged)."""
        self.orders.settimeout(_PATIENCE_S)
        octets, source = self.orders.recvfrom(4096)
        order = pyrad.CoAPacket(packet=octets, secret=SECRET, dict=DICTIONARY)
        assert order.VerifyCoARequest()
        assert order.verify_message_authenticator()
        ack = pyrad.CoAACK if order.code == pyrad.CoARequest else pyrad.DisconnectACK
        reply = pyrad.Packet(ack, order.id, SECRET, order.authenticator, dict=DICTIONARY)
        self.orders.sendto(reply.ReplyPacket(), source)
        return order
