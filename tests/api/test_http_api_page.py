"""docs/http-api.md: its commands are sent in their order, and their answers are those that it shows."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ocs.api.announcer import Announcer
from ocs.api.charge_stream import ChargeStream
from ocs.api.prepay_balance.announcements import announcement
from ocs.api.prepay_balance.resources import BASE
from ocs.api.reader import StoreBalanceReader
from ocs.api.tmf.hubs import HubStore
from ocs.api.tokens import Scope
from ocs.balance import keys
from ocs.rating import load_catalogue

pytestmark = pytest.mark.bounded(60)

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")
ORIGIN = "http://127.0.0.1"


def blocks() -> Iterator[tuple[str, str]]:
    """What is fenced on the page: its kind and its text."""
    yield from re.findall(r"^```([a-z ]+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def commands(text: str) -> Iterator[str]:
    """The commands of a block; one goes on while a quote or a backslash is open."""
    command = ""
    for line in text.splitlines():
        command += line + "\n"
        if command.count("'") % 2 == 0 and not line.endswith("\\"):
            yield command
            command = ""
    assert not command, f"never ends: {command}"


def read_curl(command: str, names: dict[str, str]) -> tuple[str, str, dict[str, str], str | None]:
    """Method, address, headers and body of a curl command."""
    for name, value in names.items():
        command = command.replace(f"${name}", value)
    words = iter(shlex.split(command)[1:])
    method, url, headers, body = "", "", {}, None
    for word in words:
        match word:
            case "--oauth2-bearer":
                headers["Authorization"] = f"Bearer {next(words)}"
            case "--json":
                headers["Content-Type"], body = "application/json", next(words)
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case _:
                assert not url and word.startswith(ORIGIN), command
                url = word
    return method or ("GET" if body is None else "POST"), url, headers, body


def agree(shown: Any, answer: Any, names: dict[str, str]) -> bool:
    """Whether an answer is what the page shows; a name that begins with ``$`` is noted."""
    match shown:
        case dict():
            has_more = shown.pop("...", None) is not None
            if not isinstance(answer, dict) or not (has_more or shown.keys() == answer.keys()):
                return False
            return all(name in answer and agree(each, answer[name], names) for name, each in shown.items())
        case list():
            return len(shown) == len(answer) and all(
                agree(each, other, names) for each, other in zip(shown, answer, strict=True)
            )
        case "...":
            return True
        case str() if shown.startswith("$"):
            names[shown[1:]] = answer
            return True
        case _:
            return shown == answer


@pytest.fixture
def parts(make_parts, store, balance):
    reader = StoreBalanceReader(store, partitions=balance.partitions)
    catalogue = load_catalogue(ROOT / "config" / "catalogue")
    return make_parts(reader, None, store=store, client=balance, catalogue=catalogue)


async def test_commands_of_the_page_are_answered_as_it_shows(parts, connect_to, token, store, balance):
    names = {"OCS": ORIGIN, "TOKEN": token}
    hubs = HubStore(store)
    announcer = Announcer(ChargeStream(balance), hubs, BASE, announcement, parts.payments.carry_out)
    answer: Any = None
    status, checked = 200, 0
    async with connect_to(parts) as client:
        for kind, text in blocks():
            if kind == "sh":
                for command in commands(text):
                    if not command.startswith("curl"):
                        name, _, value = command.strip().partition("=")
                        names.setdefault(name, value.replace("$OCS", ORIGIN))
                        continue
                    method, url, headers, body = read_curl(command, names)
                    assert status < 400, f"refused, and the page does not show it: {answer}"
                    response = await client.request(method, url, headers=headers, content=body)
                    status, answer = response.status_code, response.json()
                continue
            if kind == "json event":
                announcer.look(0)
                (hub,) = hubs.all()
                answer = msgspec.json.decode(store.lpop(keys.hub_queue_key(hub.hub_id)))
            shown, status = msgspec.json.decode(text), 200
            assert agree(shown, answer, names), f"shown:\n{text}\nanswered:\n{answer}"
            checked += 1
    assert checked > 10


def test_every_scope_is_explained():
    explained = set(re.findall(r"^\| `([a-z]+:[a-z]+)` \|", PAGE, re.MULTILINE))
    assert explained == {str(scope) for scope in Scope}
