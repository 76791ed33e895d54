"""Packets made by pyrad, and a charging that answers when told."""

from pathlib import Path

import pytest

from ocs.messages import ChargingAnswer, Outcome, ServiceAnswer, ServiceUnit
from ocs.radius.clients import Client, parse_network
from tests.radius.access_server import SECRET, AccessServer


class RecordingHandler:
    """Charging that keeps what it is asked, and answers at once what the test has laid out."""

    def __init__(self):
        self.requests = []
        self.answers = []
        self.held = []
        self.holds = False

    def submit(self, request, reply):
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else granted(10_000_000)
        if self.holds:
            self.held.append((reply, answer))
        else:
            reply(answer)


def granted(octets=None, time_s=None, validity_time_s=None):
    unit = ServiceUnit(octets, time_s=time_s)
    service = ServiceAnswer(Outcome.SUCCESS, None, (), unit, validity_time_s=validity_time_s)
    return ChargingAnswer(Outcome.SUCCESS, (service,))


def refused(outcome):
    return ChargingAnswer(outcome, (ServiceAnswer(outcome),))


@pytest.fixture
def handler():
    return RecordingHandler()


@pytest.fixture
def nas():
    server = AccessServer()
    yield server
    server.close()


@pytest.fixture
def client():
    return Client("lab", parse_network("192.0.2.1"), SECRET)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return path
