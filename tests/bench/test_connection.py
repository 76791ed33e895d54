"""One connection of the load generator."""

import select
import socket
import time
from typing import Any

import pytest

from bench.connection import Connection
from bench.templates import LoadPlan


@pytest.fixture
def connection(server: Any) -> Any:
    epoll = select.epoll()
    opened = Connection(LoadPlan(host="127.0.0.1", port=server.port, run=1), epoll)
    yield opened
    opened.close()
    epoll.close()


def test_requests_are_lost_only_once_the_connection_is(connection: Any) -> None:
    assert connection.reopen(time.perf_counter_ns())
    connection.waiting.update({5: 50, 6: 60})
    assert connection.take_lost() == []
    connection.fail("cut")
    assert connection.take_lost() == [50, 60]
    assert connection.take_lost() == []
    assert connection.failures == ["cut"]


def test_connection_is_not_tried_again_at_once(connection: Any) -> None:
    now_ns = time.perf_counter_ns()
    assert connection.reopen(now_ns)
    connection.fail("cut")
    assert not connection.reopen(now_ns + 1)
    assert connection.reopen(now_ns + 1_000_000_000)


def test_server_that_does_not_answer_the_capabilities_exchange_is_given_up(connection: Any) -> None:
    now_ns = time.perf_counter_ns()
    connection.reopen(now_ns)
    connection.check_time(now_ns + 10_000_000_000)
    assert connection.descriptor == -1
    assert "no answer" in connection.failures[-1]


def test_sending_on_a_broken_connection_is_harmless(connection: Any) -> None:
    connection.send(b"x")
    assert connection.receive() == b""


def test_connection_goes_to_the_standby_and_back_when_nobody_listens(server: Any) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        plan = LoadPlan(host="127.0.0.1", port=nobody.getsockname()[1], run=1, standby_port=server.port)
        epoll = select.epoll()
        connection = Connection(plan, epoll)
        assert not connection.reopen(0)
        assert connection.reopen(1_000_000_000)
        connection.close()
        epoll.close()
