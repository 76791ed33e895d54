"""The real system under test: `ocs up` in processes of its own, with its log, its accounts and its money."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from bench.accounts import open_client
from bench.processes import family
from ocs.balance.client import BalanceClient
from ocs.balance.embedded import EmbeddedAddress, find_store
from ocs.balance.model import Account, Session
from ocs.balance.purse import check_invariants, money_balance
from ocs.clock import SystemClock
from ocs.events import ChargeEvent, EventKind
from ocs.rating import load_catalogue
from ocs.subscribers.operations import NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.units import Money, UnitType
from simulators.system import lab_config, ocs_command, parse_ready

ROOT = Path(__file__).resolve().parent.parent.parent
CATALOGUE = load_catalogue(lab_config().parent / "catalogue")
EURO = 1_000_000
PATIENCE_S = 60.0


def wait_until(truth: Callable[[], Any], what: str = "condition") -> Any:
    """Poll until it is true; whatever it gives is returned."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        found = truth()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"{what} did not come true within {PATIENCE_S} s"
        time.sleep(0.02)


def cost_micro(units: int, *, price_micro: int, per: int, first: int, step: int) -> int:
    """What a session's units cost: calculated here a second time, from the price list as a reader sees it."""
    if units == 0:
        return 0
    billed = first if units <= first else first + (units - first + step - 1) // step * step
    return -(-billed * price_micro // per)


def browsing_micro(octets: int) -> int:
    """Prepaid Basic, rating groups 1 and 10, and none: 0.01 per MiB in blocks of 10 KiB."""
    return cost_micro(octets, price_micro=10_000, per=1 << 20, first=10_240, step=10_240)


def video_micro(octets: int) -> int:
    """Prepaid Basic, rating group 2: 0.008 per MiB in blocks of 100 KiB."""
    return cost_micro(octets, price_micro=8_000, per=1 << 20, first=102_400, step=102_400)


def messaging_micro(octets: int) -> int:
    """Prepaid Basic, rating group 3: 0.005 per MiB in blocks of 1 KiB."""
    return cost_micro(octets, price_micro=5_000, per=1 << 20, first=1_024, step=1_024)


def europe_call_micro(seconds: int) -> int:
    """Prepaid Basic, calls to Europe at any hour: 0.19 per minute, 30/1."""
    return cost_micro(seconds, price_micro=190_000, per=60, first=30, step=1)


def ims_call_micro(seconds: int) -> int:
    """Prepaid Basic, Service-Identifier 1000 in rating group 100 to a name: 0.09 per minute, 60/1."""
    return cost_micro(seconds, price_micro=90_000, per=60, first=60, step=1)


def is_alive(pid: int) -> bool:
    """Whether a process has not ended; one that nobody has waited for yet has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class System:
    """A running `ocs up`.

    Attributes:
        store_url: its ``[store] url``; empty when its store is its own.
        log_path: what it writes to stderr, as JSON lines, over all its starts.
    """

    def __init__(self, data_dir: Path, overrides: dict[str, str]) -> None:
        self.data_dir = data_dir
        self.log_path = data_dir.parent / f"{data_dir.name}.log"
        self.store_url = overrides.get("OCS_STORE__URL", "")
        self._overrides = {
            "OCS_DIAMETER__PORT": "0", "OCS_DIAMETER__TLS_PORT": "0", "OCS_HTTP__PORT": "0", "OCS_SNMP__PORT": "-1",
            "OCS_PROVISIONING__SESSIONS_MAX": "0",
            **overrides,
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._client: BalanceClient | None = None
        self.listeners: dict[str, str] = {}

    # --- Its processes ----------------------------------------------------------------------------------

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listeners["diameter"].rpartition(":")
        return host, int(port)

    def start(self) -> "System":
        command = [str(ocs_command()), "up", "--config", str(lab_config()), "--data-dir", str(self.data_dir)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **self._overrides}
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        assert line.startswith("ready "), f"{line!r}; its log ends: {self.log_path.read_text()[-2000:]}"
        self.listeners = parse_ready(line)
        # Whoever starts again on the same port keeps its gateways.
        self._overrides["OCS_DIAMETER__PORT"] = str(self.address[1])
        self._client = None
        return self

    def stop(self) -> None:
        """SIGTERM; it must end by itself, with success."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        assert process.returncode == 0, f"`ocs up` ended with {process.returncode}"

    def workers(self) -> set[int]:
        """Process ids of the charging workers."""
        found = family(self.process.pid).values()
        return {use.pid for use in found if "ocs charging" in use.name and not use.is_store}

    def kill(self) -> None:
        """SIGKILL `ocs up` itself; its workers must see to their own end, its store stays."""
        orphans = self.workers()
        process, self._process = self.process, None
        process.kill()
        process.communicate()
        wait_until(lambda: not any(map(is_alive, orphans)), "end of the orphaned workers")

    # --- What it wrote ----------------------------------------------------------------------------------

    def log_lines(self) -> list[dict[str, Any]]:
        lines = self.log_path.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def tracebacks(self) -> list[str]:
        """Everything in the log that a fault of ours leaves there."""
        text = self.log_path.read_text(errors="replace")
        found = [str(line) for line in self.log_lines() if "exception" in line]
        return found + [line for line in text.splitlines() if line.startswith("Traceback")]

    # --- Its accounts -----------------------------------------------------------------------------------

    @property
    def store(self) -> EmbeddedAddress:
        """Where its embedded store listens."""
        address = find_store(self.data_dir)
        assert address is not None, f"no store runs on {self.data_dir}"
        return address

    @property
    def client(self) -> BalanceClient:
        if self._client is None:
            self._client = open_client(self.data_dir, self.store_url)
        return self._client

    @property
    def service(self) -> SubscriberService:
        return SubscriberService(self.client, CATALOGUE, SystemClock())

    def open_account(
        self,
        name: str,
        *identities: str,
        balance: int = 5 * EURO,
        offers: tuple[str, ...] = ("prepaid-basic",),
    ) -> str:
        """Open an account with one subscriber and these identities; gives its name."""
        self.service.open_account(NewAccount(name, name, identities, offers, Money(balance, "EUR")))
        return name

    def account(self, name: str) -> Account:
        account = self.client.account(name)
        assert account is not None, f"there is no account {name}"
        check_invariants(account)
        return account

    def balance(self, name: str) -> int:
        """Money of the account in micro-units."""
        return money_balance(self.account(name))

    def reserved(self, name: str) -> int:
        """Money of the account that sessions hold, in micro-units."""
        return sum(b.reserved for b in self.account(name).buckets if b.unit_type == UnitType.MONEY)

    def debits(self, name: str) -> list[ChargeEvent]:
        """The account's charge events, less its opening; their sum and order are checked."""
        events = list(self.client.events(name))
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert len({event.event_id for event in events}) == len(events)
        assert sum(event.amount_micro for event in events) == self.balance(name)
        return [event for event in events if event.kind != EventKind.OPENING]

    def session(self, session_id: str) -> Session | None:
        return self.client.session(session_id)

    def command(self, *arguments: str) -> str:
        """Run `ocs ARGUMENTS` as a user would and give what it prints."""
        done = subprocess.run(
            [str(ocs_command()), *arguments, "--config", str(lab_config()), "--data-dir", str(self.data_dir)],
            env={**os.environ, **self._overrides}, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextlib.contextmanager
def running(data_dir: Path, **overrides: str) -> Generator[System]:
    """Run a system for a `with` block; in the end its log must hold no traceback."""
    system = System(data_dir, overrides)
    try:
        system.start()
        yield system
    finally:
        system.stop()
        if sys.exc_info()[0] is not None:
            print(system.log_path.read_text(errors="replace")[-4000:])  # pytest shows it with the failure
    assert system.tracebacks() == []
