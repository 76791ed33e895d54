"""Group gy against a server of ours: names of the figures, and refusal to report nonsense."""

from typing import Any

import pytest
from diameter.message import Message

from bench import gy, templates
from bench.templates import LoadPlan


def plan(server: Any) -> LoadPlan:
    return LoadPlan(host="127.0.0.1", port=server.port, run=7, accounts=300)


def test_each_load_has_its_figures(server: Any) -> None:
    said: list[str] = []
    figures, acknowledged = gy.measure(plan(server), duration_s=0.05, say=said.append, system=None)
    names = {figure.name: figure for figure in figures}
    for in_flight in (1, 16, 64, 256):
        for name in ("gy_ccr_per_s_", "gy_p50_ms_", "gy_p99_ms_", "gy_p999_ms_"):
            assert names[f"{name}{in_flight}"].value > 0
            assert names[f"{name}3rg_{in_flight}"].value > 0
    assert names["gy_generator_cpu_us_per_ccr"].value > 0
    assert names["gy_generator_cpu_us_per_ccr_3rg"].value > 0
    assert names["gy_ccr_per_s_64"].goal == "at least 15000"
    assert len(acknowledged) == 300
    assert said


def services(request: bytes) -> int:
    return request.count(bytes.fromhex("000001c840"))


def test_requests_with_three_rating_groups_have_sessions_of_their_own(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The package reads each request again, at a millisecond and more each: few will do.
    monkeypatch.setattr(gy, "IN_FLIGHT", (1, 16))
    few = LoadPlan(host="127.0.0.1", port=server.port, run=7, accounts=40)
    _, acknowledged = gy.measure(few, duration_s=0.02, say=lambda line: None, system=None)
    session_ids: dict[int, set[bytes]] = {1: set(), 3: set()}
    reported = 0
    for request in server.requests:
        session_ids[services(request)].add(request[28 : 28 + len(templates.session_id(few, 0))])
        reported += sum(used.cc_total_octets for used in used_service_units(request))
    assert [len(ids) for ids in session_ids.values()] == [40, 40]
    assert not session_ids[1] & session_ids[3]
    assert sum(acknowledged) == reported


def used_service_units(request: bytes) -> list[Any]:
    message: Any = Message.from_bytes(request)
    return [
        used for service in message.multiple_services_credit_control for used in service.used_service_unit
    ]


def test_a_rating_group_without_grant_makes_no_figures(server: Any) -> None:
    server.granted_services_max = 2
    with pytest.raises(gy.BenchError, match=r"opening: .* sampled without grant"):
        gy.measure(plan(server), duration_s=0.05, say=lambda line: None, system=None)


def test_refused_requests_make_no_figures(server: Any) -> None:
    server.reply = lambda request: 5012
    with pytest.raises(gy.BenchError, match=r"opening: results \{5012: 300\}"):
        gy.measure(plan(server), duration_s=0.05, say=lambda line: None, system=None)
