"""A catalogue is published while gateways send: every worker switches, and no request is refused or lost for it."""

import json
import re
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from simulators.system import lab_config
from tests.endtoend.lab import System, running, wait_until
from tests.endtoend.traffic import Traffic
from tests.endtoend.wire import INITIAL, UPDATE, Gateway, new_session, requested, service, subscription, used


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[System]:
    with running(tmp_path_factory.mktemp("publish") / "data", OCS_CHARGING__WORKERS="2") as system:
        yield system


def changed(folder: Path, **replacements: str) -> Path:
    """A copy of the delivered catalogue under another name."""
    shutil.copytree(lab_config().parent / "catalogue", folder)
    operator = folder / "operator.toml"
    text = operator.read_text()
    for old, new in replacements.items():
        text = re.sub(rf'^{old} = ".*"', f'{old} = "{new}"', text, count=1, flags=re.MULTILINE)
    operator.write_text(text)
    return folder


def test_published_catalogue_is_used_by_all_workers_without_a_refused_request(
    system: System, tmp_path: Path
) -> None:
    before = json.loads(system.command("catalogue", "list", "--json"))
    folder = changed(tmp_path / "new", name="Lab operator, second edition")
    with Traffic(system, connections=4) as traffic:
        traffic.advance()
        told = system.command("catalogue", "publish", str(folder), "--effective", "now")
        assert "worker-0@" in told
        assert "worker-1@" in told
        traffic.advance(400)
        updates = traffic.settle()
    assert set(updates.results) == {2001}
    assert (updates.unanswered, updates.reconnected) == (0, 0)
    after = json.loads(system.command("catalogue", "list", "--json"))
    assert [entry["in_force"] for entry in after] == [False] * len(before) + [True]
    version = after[-1]["version"]
    assert version in told
    switched = [line for line in system.log_path.read_text().splitlines() if "catalogue_in_force" in line]
    assert len([line for line in switched if version in line]) == 2


def test_grant_keeps_the_version_it_was_made_under_and_the_next_has_the_new_one(
    system: System, tmp_path: Path, capture
) -> None:
    system.open_account("keeper", "e164:4915277000001")
    session = new_session()
    with Gateway(system.address, capture, host="pgw-keeper.example").opened() as gateway:
        who = (subscription(0, "4915277000001"),)
        opened = gateway.credit(session, INITIAL, 0, service(10, requested()), subscriptions=who)
        assert gateway.ask(opened).result == 2001
        (old,) = [e for e in json.loads(system.command("catalogue", "list", "--json")) if e["in_force"]]
        folder = changed(tmp_path / "third", name="Lab operator, third edition")
        published = json.loads(
            system.command("catalogue", "publish", str(folder), "--effective", "now", "--json")
        )
        wait_until(lambda: system.log_path.read_text().count(published["version"]) >= 2, "the switch")
        for number in (1, 2):
            update = gateway.credit(session, UPDATE, number, service(10, requested(), used(total=20_480)))
            assert gateway.ask(update).result == 2001
    versions = [event.catalogue_version for event in system.debits("keeper")]
    assert versions == [old["version"], published["version"]]
