"""The alarm list by HTTP, in pages."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from simulators.traps.alarm_list import AlarmList, AlarmListError
from simulators.traps.judging import Seen


def shown(number: int) -> dict[str, object]:
    return {
        "alarm_id": str(number),
        "resource": f"a/if/{number}",
        "alarm_type": "link-down",
        "is_cleared": number % 2 == 0,
        "root_cause": None,
        "occurrences": number,
    }


@contextmanager
def server(total: int, status: int = 200, body: bytes | None = None) -> Generator[str]:
    """Serves so many alarms of element a, three a page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            numbers = range(1, total + 1) if query["resource"] == "a" else range(0)
            offset = int(query["offset"])
            page = {"items": [shown(n) for n in numbers[offset : offset + 3]], "total": len(numbers)}
            octets = json.dumps(page).encode() if body is None else body
            self.send_response(status)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


def test_all_pages_of_all_elements_are_read() -> None:
    with server(7) as address:
        found = AlarmList(address).of({"a", "b"})
    assert [seen.alarm_id for seen in found] == list("1234567")
    assert found[1] == Seen("2", "a/if/2", "link-down", is_cleared=True, occurrences=2)


@pytest.mark.parametrize(("status", "body"), [(503, b""), (200, b"{}"), (200, b'{"items": [1], "total": 1}')])
def test_answer_that_is_none_says_so(status: int, body: bytes) -> None:
    with (
        server(1, status, body) as address,
        pytest.raises(AlarmListError, match=r"status 503|not understood"),
    ):
        AlarmList(address).of({"a"})


def test_no_server_says_so() -> None:
    with pytest.raises(AlarmListError, match=r"127\.0\.0\.1:9/api/v1/alarms"):
        AlarmList("127.0.0.1:9").of({"a"})
