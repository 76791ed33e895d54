"""One running system for all end-to-end tests, gateways before it, and Wireshark looking on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.endtoend.lab import System, running
from tests.endtoend.recordings import MAGMA_SUBSCRIBERS
from tests.endtoend.wire import Gateway
from tests.endtoend.wireshark import TSHARK, Capture, faults

_subscribers = count(1)


class Subscriber:
    """An account with one subscriber: its name, and the identities under which gateways know it."""

    def __init__(self, number: int) -> None:
        self.account = f"S{number}"
        self.msisdn = f"49151{number:08d}"
        self.imsi = f"26201{number:010d}"


@pytest.fixture(scope="session")
def ocs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """`ocs up` with two workers on an embedded store; its log must stay free of tracebacks.

    It also answers for ocs2.lab.example, which a test starts on the same store.
    """
    options = {"OCS_CHARGING__WORKERS": "2", "OCS_DIAMETER__DESTINATION_HOSTS": '["ocs2.lab.example"]'}
    with running(tmp_path_factory.mktemp("ocs") / "data", **options) as system:
        yield system


@pytest.fixture(scope="module")
def magma_ocs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """`ocs up` under the name that the recorded gateways ask for, with their subscribers' accounts."""
    names = {"OCS_DIAMETER__ORIGIN_HOST": "tvm-vocs.magma.com", "OCS_DIAMETER__ORIGIN_REALM": "magma.com"}
    with running(tmp_path_factory.mktemp("magma") / "data", **names) as system:
        for number in MAGMA_SUBSCRIBERS:
            system.open_account(f"M{number}", f"e164:{number}", f"imsi:99999{number}")
        yield system


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Capture]:
    """What the module's gateways sent and heard; at its end Wireshark must find no fault in it."""
    capture = Capture()
    yield capture
    if TSHARK is not None and capture.packets:
        path: Path = tmp_path_factory.mktemp("capture") / f"{request.module.__name__.rpartition('.')[2]}.pcap"
        capture.write(path)
        assert faults(path) == []


@pytest.fixture
def connect(ocs: System, capture: Capture) -> Iterator[Callable[..., Gateway]]:
    """Open connections to the system, already past capabilities exchange unless `opened=False`."""
    with ExitStack() as stack:

        def open_gateway(host: str = "pgw.example", *, opened: bool = True) -> Gateway:
            gateway = stack.enter_context(Gateway(ocs.address, capture, host=host))
            return gateway.opened() if opened else gateway

        yield open_gateway


@pytest.fixture
def gateway(connect: Callable[..., Gateway]) -> Gateway:
    """An open connection."""
    return connect()


@pytest.fixture
def subscribe(ocs: System) -> Callable[..., Subscriber]:
    """Open accounts: `subscribe(balance=...)`, with E.164 number and IMSI, or with the identities given."""

    def open_account(*identities: str, **options: object) -> Subscriber:
        subscriber = Subscriber(next(_subscribers))
        names = identities or (f"e164:{subscriber.msisdn}", f"imsi:{subscriber.imsi}")
        ocs.open_account(subscriber.account, *names, **options)  # type: ignore[arg-type]
        return subscriber

    return open_account
