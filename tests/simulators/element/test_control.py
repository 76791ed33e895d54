"""Commands to running elements."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from simulators.element.control import Control, tell
from simulators.element.park import Park
from tests.support.element_clients import FIRST, HOSTNAME, client


@pytest.fixture
def path(park: Park, tmp_path: Path) -> Generator[Path]:
    park.netconf("pe1", running=FIRST)
    park.cli("ce1")
    path = tmp_path / "control.sock"
    with Control(park, path):
        yield path


def told(path: Path, **order: Any) -> Any:
    return tell(path, json.dumps(order))


def test_elements_are_listed(path: Path, park: Park) -> None:
    listed = told(path, do="list")["ok"]
    assert listed.keys() == {"pe1", "ce1"}
    assert listed["pe1"]["port"] == park.elements["pe1"].port


def test_a_fault_is_ordered_and_comes_about(path: Path, park: Park) -> None:
    assert told(path, element="pe1", do="fault", kind="refuse", on="lock", tag="in-use") == {"ok": None}
    with client(park.elements["pe1"]) as session:
        with pytest.raises(Exception, match="refused on command"):
            session.lock("candidate")
        session.lock("candidate")
    assert "lock" in told(path, element="pe1", do="steps")["ok"]
    told(path, element="pe1", do="fault", kind="lie")
    told(path, element="pe1", do="clear")
    with client(park.elements["pe1"]) as session:
        assert session.get_config("running").data_ele is not None


def test_a_foreign_change_is_made_and_seen(path: Path) -> None:
    told(path, element="pe1", do="change", values={HOSTNAME: "new"})
    assert told(path, element="pe1", do="running")["ok"][HOSTNAME] == "new"
    told(path, element="ce1", do="change", lines=["vlan 7"])
    assert told(path, element="ce1", do="running")["ok"] == ["hostname ce1", "vlan 7"]
    told(path, element="pe1", do="lock", datastore="candidate", session_id=9)
    assert told(path, element="pe1", do="locks")["ok"] == {"candidate": 9}
    told(path, element="pe1", do="skew", seconds=60)


def test_life_and_death(path: Path, park: Park) -> None:
    key = park.elements["pe1"].host_key
    for do in ("stop", "start", "restart", "drop", "host-key"):
        assert told(path, element="pe1", do=do) == {"ok": None}
    assert park.elements["pe1"].host_key != key


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ('{"do": "running", "element": "no"}', "no element"),
        ('{"do": "fly", "element": "pe1"}', "cannot 'fly'; it can: list"),
        ('{"do": "fault", "element": "pe1", "kind": "no"}', "kind is one of: latency"),
        ('{"do": "fault", "element": "pe1", "kind": "lie", "wrong": 1}', "no wrong"),
        ('{"do": "change", "element": "pe1", "values": {"/x:y": "1"}}', "the model has no x:y"),
        ('{"do": "change", "element": "ce1", "lines": ["nonsense"]}', "Invalid input"),
        ('{"do": "change", "element": "ce1"}', "lines"),
        ("[]", "a command is an object"),
        ("no json", "Expecting value"),
    ],
)
def test_what_cannot_be_done_is_said(path: Path, order: str, reason: str) -> None:
    assert reason in tell(path, order)["error"]
