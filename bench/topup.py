"""Group ``topup``: from a top-up to traffic again, seen from the gateway, with ten thousand live sessions.

Every session is out of credit: redirected to the page for topping up, without a grant. A top-up is committed;
Re-Auth-Request, Credit-Control-Request and its grant follow. The clock runs from before the top-up until the grant
arrives. Top-ups are made by a process of their own that tells gateways as the HTTP process does.
"""

import contextlib
import socket
import struct
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final, Self

import trio

from bench import templates
from bench.accounts import account_id, audit_accounts, create_accounts, open_client, open_store, verify
from bench.answers import find_avp, grants, result_code
from bench.figures import Figure
from bench.gy import BenchError, Say
from bench.pump import quantiles_ms
from bench.templates import HEADER, INITIAL, TERMINATION, UPDATE, LoadPlan
from ocs.balance.client import BalanceClient
from ocs.balance.store_address import StoreAddress
from ocs.clock import SystemClock
from ocs.peer_notices import PeerNotices, notice_opener
from ocs.rating import load_catalogue
from ocs.reauthoriser import Reauthoriser
from ocs.subscribers.service import SubscriberService
from ocs.units import Money
from simulators.system import lab_config, running_system

# Redirects who has no credit, and has no allowance for what is asked for.
_OFFER: Final = "young"
_TOP_UP_MICRO: Final = 5_000_000
_PER_S: Final = 100
_OPEN_IN_FLIGHT: Final = 64
_SILENCE_S: Final = 30.0
_RE_AUTH: Final = 258
_LIMITED_SUCCESS: Final = 2002
_REQUEST_BIT: Final = 0x8000_0000
_SESSION_ID: Final = 263


class Gateway:
    """One connection of a gateway that comes again when it is told to. Use it in a ``with`` block.

    Attributes:
        acknowledged: by account, octets whose report was answered.
        granted_ns: by account, when a grant came after a demand, by ``time.perf_counter_ns``.
        demands: Re-Auth-Requests that came. failures: by what went wrong.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._socket = socket.create_connection((plan.host, plan.port), _SILENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sent: dict[int, tuple[int, int, int]] = {}  # Hop-by-Hop Identifier -> account, type, octets
        self._numbers = array("I", bytes(4 * plan.accounts))
        self._next_id = 1
        self._changed = threading.Condition()
        self.acknowledged = array("Q", bytes(8 * plan.accounts))
        self.granted_ns: dict[int, int] = {}
        self.demands = 0
        self.failures = Counter[str]()

    def __enter__(self) -> Self:
        address = socket.inet_pton(self._socket.family, self._socket.getsockname()[0])
        self._socket.sendall(templates.capabilities_exchange_request(self._plan, address, (0, 0)))
        threading.Thread(target=self._read, name="gateway", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def of_all(self, request_type: int) -> None:
        """Send one request for each account and wait for all answers."""
        for account in range(self._plan.accounts):
            self._wait_for(lambda: len(self._sent) < _OPEN_IN_FLIGHT)
            self._send(account, request_type)
        self._wait_for(lambda: not self._sent)

    def wait_for_grants(self, count: int) -> None:
        """Wait until so many accounts were granted something after a demand, or nothing has come for long."""
        self._wait_for(lambda: len(self.granted_ns) >= count)

    def _wait_for(self, truth: Callable[[], bool]) -> None:
        with self._changed:
            if not self._changed.wait_for(truth, _SILENCE_S):
                raise BenchError(
                    f"topup: the server was silent for {_SILENCE_S} s; so far {dict(self.failures)}"
                )

    def _send(self, account: int, request_type: int) -> None:
        request, places = templates.credit_control_request(
            self._plan, account, request_type, int(time.time())
        )
        number, octets = self._numbers[account], 0
        templates.patch_number(request, places, number)
        if request_type == TERMINATION and account in self.granted_ns:  # redirected ones have used nothing
            octets = templates.used_octets(account, number)
            templates.patch_used(request, places, octets)
        with self._changed:
            identifier, self._next_id = self._next_id, self._next_id + 1
            self._sent[identifier] = account, request_type, octets
        templates.patch_identifiers(request, identifier, identifier)
        self._numbers[account] += 1
        self._socket.sendall(request)

    def _read(self) -> None:
        for frame in self._frames():
            _, flags_command, _, hop_by_hop, end_to_end = HEADER.unpack_from(frame)
            command, is_request = flags_command & 0xFF_FFFF, bool(flags_command & _REQUEST_BIT)
            if command == templates.CREDIT_CONTROL and not is_request:
                self._take_answer(hop_by_hop, frame)
            elif command == _RE_AUTH and is_request:
                self._obey(frame, (hop_by_hop, end_to_end))
            elif is_request:
                self._socket.sendall(templates.base_answer(self._plan, command, (hop_by_hop, end_to_end)))

    def _frames(self) -> Iterator[bytes]:
        buffer = b""
        with contextlib.suppress(OSError):
            while data := self._socket.recv(262_144):
                buffer += data
                while len(buffer) >= 4 and len(buffer) >= (length := int.from_bytes(buffer[1:4])):
                    frame, buffer = buffer[:length], buffer[length:]
                    yield frame

    def _take_answer(self, hop_by_hop: int, frame: bytes) -> None:
        now_ns = time.perf_counter_ns()
        code = result_code(frame, 0, len(frame), expected_at=20)
        with self._changed:
            account, request_type, octets = self._sent.pop(hop_by_hop)
            if code != templates.SUCCESS:
                self.failures[f"{code} to type {request_type}"] += 1
            elif bool(grants(frame, 0, len(frame))) != (request_type == UPDATE):
                self.failures[f"grant, or none, to type {request_type}"] += 1
            elif request_type == UPDATE:
                self.granted_ns[account] = now_ns
            self.acknowledged[account] += octets
            self._changed.notify_all()

    def _obey(self, frame: bytes, identifiers: tuple[int, int]) -> None:
        """RAA 2002, then the CCR that it announces (RFC 8506 section 5.5)."""
        place = find_avp(frame, 20, len(frame), _SESSION_ID)
        length = struct.unpack_from(">I", frame, place + 4)[0] & 0xFF_FFFF
        session_id = frame[place + 8 : place + length]
        body = (
            templates.avp(_SESSION_ID, session_id)
            + templates.unsigned32(templates.RESULT_CODE, _LIMITED_SUCCESS)
            + templates.avp(264, self._plan.origin_host.encode())
            + templates.avp(296, self._plan.origin_realm.encode())
        )
        self.demands += 1
        self._socket.sendall(templates.message(_RE_AUTH, templates.FLAG_PROXIABLE, 4, identifiers, body))
        self._send(int(session_id.split(b";")[2]), UPDATE)


def run_topup(folder: Path, *, duration_s: float, accounts: int, say: Say) -> list[Figure]:
    """Measure a system of our own, one worker, every answer fsynced, audited afterwards.

    Args:
        folder: an empty folder for the data.
        duration_s: for so long accounts are topped up, each once at most.
        say: takes one line of progress.

    Raises:
        BenchError: an answer was wrong or missing, or the audit found a difference.
    """
    data_dir = folder / "topup"
    overrides = {"OCS_CHARGING__WORKERS": "1", "OCS_STORE__DURABILITY": "fsync"}
    with running_system(config=lab_config(), data_dir=data_dir, overrides=overrides) as system:
        host, port = system.address("diameter")
        plan = LoadPlan(host=host, port=port, run=int(time.time()), accounts=accounts)
        say(f"topup: creating {accounts} accounts")
        create_accounts(data_dir, plan, accounts, opening_micro=0, offer=_OFFER)
        with Gateway(plan) as gateway, _teller(data_dir) as (client, reauthoriser):
            say(f"topup: opening {accounts} sessions without credit")
            gateway.of_all(INITIAL)
            count = min(accounts, int(duration_s * _PER_S))
            say(f"topup: {count} top-ups, {_PER_S} a second")
            began_ns = _top_up(plan, client, reauthoriser, count)
            gateway.wait_for_grants(count)
            gateway.of_all(TERMINATION)
            figures = _figures(gateway, began_ns, accounts)
            if gateway.failures or gateway.demands != count:
                raise BenchError(f"topup: {dict(gateway.failures)}, {gateway.demands} demands for {count}")
            say("topup: auditing balances, event streams and the store")
            differences = audit_accounts(data_dir, plan, gateway.acknowledged)
            store, partitions = open_store(data_dir)
            differences += [str(finding) for finding in verify(store, partitions).findings]
            store.close()
    if differences:
        raise BenchError(f"{len(differences)} differences, the first: {differences[0]}")
    return figures


def _top_up(plan: LoadPlan, client: BalanceClient, reauthoriser: Reauthoriser, count: int) -> dict[int, int]:
    """Top up one account after the other by the clock; returns when each was begun."""
    catalogue = load_catalogue(lab_config().parent / "catalogue")
    service = SubscriberService(client, catalogue, SystemClock(), on_change=reauthoriser.account_changed)
    amount = Money(_TOP_UP_MICRO, catalogue.currency)
    began_ns: dict[int, int] = {}
    start_s = time.perf_counter()
    for account in range(count):
        time.sleep(max(0.0, start_s + account / _PER_S - time.perf_counter()))
        began_ns[account] = time.perf_counter_ns()
        service.top_up(account_id(plan, account), amount, reference=f"bench-{plan.run}")
    return began_ns


@contextlib.contextmanager
def _teller(data_dir: Path) -> Generator[tuple[BalanceClient, Reauthoriser]]:
    """A client of the store, and what tells gateways of changes, in a thread of its own."""
    client = open_client(data_dir)
    store, _ = open_store(data_dir)
    address: StoreAddress = store.address
    store.close()
    ready = threading.Event()
    found: list[tuple[Reauthoriser, trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def serve() -> None:
        notices = PeerNotices(notice_opener(address), "bench", {})
        reauthoriser = Reauthoriser(client, notices)
        async with trio.open_nursery() as nursery:
            await nursery.start(notices.run)
            nursery.start_soon(reauthoriser.run)
            found.append((reauthoriser, trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            ready.set()

    thread = threading.Thread(target=trio.run, args=(serve,), name="teller", daemon=True)
    thread.start()
    if not ready.wait(_SILENCE_S):
        raise BenchError("topup: the store takes no notices")
    reauthoriser, token, scope = found[0]
    try:
        yield client, reauthoriser
    finally:
        token.run_sync_soon(scope.cancel)
        thread.join(_SILENCE_S)


def _figures(gateway: Gateway, began_ns: dict[int, int], accounts: int) -> list[Figure]:
    latencies = array("q", [gateway.granted_ns[account] - began for account, began in began_ns.items()])
    quantiles = quantiles_ms(latencies)
    note = f"{len(latencies)} top-ups at {_PER_S}/s, {accounts} sessions out of credit: top-up, RAR, CCR-U, grant"
    goals = {"p99": "under 200"}
    return [
        Figure(f"topup_resumed_{name}_ms", round(quantiles[name], 3), "ms", goals.get(name, ""), note)
        for name in ("p50", "p99", "max")
    ]
