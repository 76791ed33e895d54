"""TMF642 as a client sees it, judged by the standard's own definitions, on a real store.

Routes with what stands behind them: office, deeds, finding, tasks, views.
"""

import msgspec
import pytest
import trio

from ocs.api.alarms import examples, finding, office
from ocs.api.alarms.resources import ALARM, BASE, GROUP_ALARMS, TASKS, UNGROUP_ALARMS
from ocs.api.alarms.sifting import SearchWork
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.balance.keys import hub_queue_key
from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.operator_axis import OperatorState
from ocs.faults.store import keys
from ocs.faults.store.batch import decode_signal
from tests.support.alarms import NOW_MS, alarm_of
from tests.support.swagger import Definitions, SwaggerMismatchError

pytestmark = pytest.mark.bounded(60)

TMF642 = Definitions("TMF642-Alarm-v4.0.0.swagger.json")
ALARMS = f"{BASE}/alarm"
OURS = {"assignedTo", "operatorState", "shelvedUntil", "affectedSubscribers", "occurrences", "suppression"}
A, B = alarm_of("router1/if/1"), alarm_of("router2", "high-temperature", severity=Severity.MINOR)


def check_alarm(shown: dict, definition: str = "Alarm") -> None:
    """The file calls the id of an alarm a number, and that of a reference to it a text: it is a text."""
    assert isinstance(shown["id"], str)
    TMF642.check({name: value for name, value in shown.items() if name != "id"}, definition)


async def test_attributes_are_those_of_the_standard_and_ours_beside_them():
    assert ALARM.attributes == TMF642.attributes("Alarm") | OURS
    for kind in TASKS:
        assert kind.attributes == TMF642.attributes(kind.name), kind.name


async def test_every_path_and_method_of_the_standard_is_served(client):
    described = (await client.get("/openapi.json")).json()["paths"]
    for path, methods in TMF642.paths().items():
        if path.startswith("/listener"):
            continue
        ours = path.replace("{id}", "{hub_id}" if path.startswith("/hub") else "{identifier}")
        assert {name.upper() for name in described[BASE + ours]} >= methods, path


async def test_alarm_is_shown_as_the_standard_defines_it(client, owner):
    root = alarm_of(
        "router1",
        "card-failed",
        symptoms=1,
        affected_services=("lte",),
        repair="replace the card",
        probable_cause=55,
    )
    symptom = alarm_of("router1/if/1", root_cause=root.alarm_id, suppression="symptom", escalation=1)
    await owner.put(root, symptom)
    shown = (await client.get(f"{ALARMS}/{root.alarm_id}")).json()
    check_alarm(shown)
    assert shown["isRootCause"] and shown["serviceAffecting"]
    assert [one["id"] for one in shown["correlatedAlarm"]] == [symptom.alarm_id]
    assert (shown["probableCause"], shown["alarmType"]) == ("lineCardProblem", "communicationsAlarm")
    shown = (await client.get(f"{ALARMS}/{symptom.alarm_id}")).json()
    check_alarm(shown)
    assert [one["id"] for one in shown["parentAlarm"]] == [root.alarm_id]
    assert shown["alarmEscalation"] and not shown["isRootCause"]


async def test_alarm_that_is_over_has_the_severity_cleared(client, owner):
    await owner.put(A)
    over = msgspec.structs.replace(A, is_cleared=True, last_changed_ms=NOW_MS + 5_000)
    await owner.put(over, kind=ChangeKind.CLEARED)
    shown = (await client.get(f"{ALARMS}/{A.alarm_id}")).json()
    check_alarm(shown)
    assert (shown["perceivedSeverity"], shown["state"]) == ("cleared", "cleared")
    assert shown["alarmClearedTime"] == "2027-01-15T08:00:05.000Z"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {A, B}),
        ("perceivedSeverity=major", {A}),
        ("perceivedSeverity=major,minor", {A, B}),
        ("perceivedSeverity=cleared", set()),
        ("state=raised", {A, B}),
        ("state=cleared", set()),
        ("ackState=unacknowledged&alarmedObject.id=router2", {B}),
        ("specificProblem=high-temperature", {B}),
        (f"id={A.alarm_id}", {A}),
        (f"id={A.alarm_id}&perceivedSeverity=minor", set()),
        ("alarmRaisedTime.gt=2027-01-15T08:00:00Z", set()),
        ("alarmRaisedTime.gte=2027-01-15T08:00:00Z", {A, B}),
    ],
)
async def test_list_is_filtered(client, owner, query, found):
    await owner.put(A, B)
    answer = await client.get(f"{ALARMS}?{query}")
    assert {alarm["id"] for alarm in answer.json()} == {alarm.alarm_id for alarm in found}
    assert answer.headers["X-Total-Count"] == str(len(found))
    for alarm in answer.json():
        check_alarm(alarm)


async def test_list_is_paged_and_sorted_whichever_way_it_is_found(client, owner):
    alarms = [alarm_of(f"r{number}", last_changed_ms=NOW_MS + number) for number in range(5)]
    await owner.put(*alarms)
    newest = [f"r{number}" for number in (4, 3, 2, 1, 0)]
    for query, order in (
        ("", newest),
        ("alarmType=communicationsAlarm", newest),
        ("sort=alarmedObject.id", newest[::-1]),
        ("sort=alarmDetails", newest[::-1]),
    ):
        answer = await client.get(f"{ALARMS}?{query}&offset=1&limit=2&fields=alarmedObject")
        assert [alarm["alarmedObject"]["id"] for alarm in answer.json()] == order[1:3], query
        assert (answer.status_code, answer.headers["X-Total-Count"]) == (206, "5")


async def test_alarm_that_is_not_there_and_condition_that_is_none_are_refused(client, owner):
    answer = await client.get(f"{ALARMS}/nothing")
    TMF642.check(answer.json(), "Error")
    assert answer.status_code == 404
    assert (await client.get(f"{ALARMS}?colour=red")).status_code == 400
    assert (await client.patch(f"{ALARMS}/nothing", json=examples.PATCH)).status_code == 404


# --- Operators ----------------------------------------------------------------------------------------------------


async def test_patch_acknowledges_comments_and_assigns_once(client, owner, store):
    await owner.put(A)
    patch = examples.PATCH | {"ackSystemId": "noc", "assignedTo": "field-1"}
    answers = [await client.patch(f"{ALARMS}/{A.alarm_id}", json=patch) for _ in range(2)]
    shown = answers[0].json()
    check_alarm(shown)
    assert answers[1].json() == shown  # said before: nothing was done again
    assert (shown["ackState"], shown["ackUserId"], shown["ackSystemId"]) == ("acknowledged", "anna", "noc")
    assert [one["comment"] for one in shown["comment"]] == ["on my way"]
    assert shown["comment"][0]["userId"] == "tests"  # the token's name
    assert store.xlen(keys.CHANGES) == 1 + 3
    shown = (await client.patch(f"{ALARMS}/{A.alarm_id}", json={"ackState": "unacknowledged"})).json()
    assert (shown["ackState"], shown["ackUserId"]) == ("unacknowledged", "tests")


async def test_patch_shelves_and_takes_from_the_shelf(client, owner):
    await owner.put(A)
    url = f"{ALARMS}/{A.alarm_id}"
    shown = (await client.patch(url, json={"shelvedUntil": "2027-01-15T09:00:00Z"})).json()
    assert (shown["operatorState"], shown["shelvedUntil"]) == ("shelved", "2027-01-15T09:00:00.000Z")
    shown = (await client.patch(url, json={"shelvedUntil": None})).json()
    assert shown["operatorState"] == "un-shelved"


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ({"perceivedSeverity": "minor"}, 400),
        ({"ackState": "maybe"}, 400),
        ({"state": "raised"}, 400),
        ({"state": "cleared"}, 409),  # its device clears it
        ({"shelvedUntil": "2020-01-01T00:00:00Z"}, 409),
        ({"comment": [{"comment": ""}]}, 409),
    ],
)
async def test_patch_of_what_operators_cannot_say_is_refused(client, owner, store, patch, status):
    await owner.put(A)
    answer = await client.patch(f"{ALARMS}/{A.alarm_id}", json=patch)
    assert answer.status_code == status, answer.text
    TMF642.check(answer.json(), "Error")
    assert store.xlen(keys.CHANGES) == 1


async def test_alarm_is_taken_off_the_list_when_it_is_over(client, owner):
    await owner.put(A)
    url = f"{ALARMS}/{A.alarm_id}"
    assert (await client.delete(url)).status_code == 409
    await owner.put(msgspec.structs.replace(A, is_cleared=True), kind=ChangeKind.CLEARED)
    assert (await client.delete(url)).status_code == 204
    await owner.settle()
    assert (await client.get(url)).status_code == 404
    assert (await client.delete(url)).status_code == 404


# --- Reports of partners ------------------------------------------------------------------------------------------


async def test_report_is_ordered_and_answered_when_the_owner_has_taken_it(client, owner, store, nursery):
    async def take() -> None:
        while not (orders := await trio.to_thread.run_sync(store.hgetall, keys.ORDERS)):
            await trio.sleep(0.005)
        (signal,) = map(decode_signal, orders.values())
        assert (signal.source, signal.probable_cause, signal.severity) == (
            "building-control", 123, Severity.MAJOR,
        )  # fmt: skip
        key = signal.key
        await owner.put(alarm_of(key.resource, key.alarm_type, text=signal.text, last_signal_ms=signal.at_ms))

    nursery.start_soon(take)
    answer = await client.post(ALARMS, json=examples.ALARM)
    assert answer.status_code == 201
    check_alarm(answer.json())
    assert answer.json()["alarmDetails"] == "Room 2 is at 41 degrees"
    assert answer.headers["Location"] == f"{ALARMS}/{answer.json()['id']}"


async def test_report_that_nobody_takes_yet_is_answered_202(client, owner, monkeypatch):
    monkeypatch.setattr(office, "ALARM_ORDER_WAIT_S", 0.01)
    answer = await client.post(ALARMS, json=examples.ALARM)
    assert answer.status_code == 202
    assert answer.json()["id"] == alarm_of("site-berlin-1", "high-temperature").alarm_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"perceivedSeverity": "bad"},
        {"alarmType": "no type"},
        {"state": "odd"},
        {"alarmedObject": {"id": ""}},
        {"alarmedObject": {"id": "/a"}},
        {"specificProblem": "x" * 300},
        {"specificProblem": "\x1b[2J\x00"},
        {"alarmedObject": {"id": "a\x9b"}},
        {"alarmRaisedTime": "soon"},
    ],
)
async def test_report_that_cannot_be_meant_so_is_refused(client, owner, store, wrong):
    answer = await client.post(ALARMS, json=examples.ALARM | wrong)
    assert answer.status_code == 400
    assert not store.exists(keys.ORDERS)


# --- Tasks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TASKS, ids=lambda kind: kind.path)
async def test_task_is_answered_kept_and_told_as_the_standard_defines_it(client, owner, store, kind):
    HubStore(store).add(Hub("h", BASE, "https://crm.example/"))
    await owner.put(msgspec.structs.replace(A, will_clear=False), B)
    meant = {
        "alarmPattern": [{"alarmedObject": {"id": A.key.resource}}],
        "parentAlarm": {"href": f"{ALARMS}/{B.alarm_id}"},
        "correlatedAlarm": [{"href": f"{ALARMS}/{A.alarm_id}"}],
    }
    if kind is UNGROUP_ALARMS:
        await client.post(f"{BASE}/{GROUP_ALARMS.path}", json=examples.TASKS[GROUP_ALARMS.path] | meant)
        store.delete(hub_queue_key("h"))
    example = examples.TASKS[kind.path]
    body = example | {name: value for name, value in meant.items() if name in example}
    answer = await client.post(f"{BASE}/{kind.path}", json=body)
    made = answer.json()
    assert answer.status_code == 201, made
    TMF642.check(made, kind.name)
    (done,) = (made[name] for name in made.keys() - body.keys() if name.lower().endswith("edalarm"))
    assert done == [{"href": f"{ALARMS}/{A.alarm_id}"}]
    assert (await client.get(made["href"])).json() == made
    assert (await client.get(f"{BASE}/{kind.path}")).json() == [made]
    event = msgspec.json.decode(store.lindex(hub_queue_key("h"), 0))
    TMF642.check(event, f"{kind.name}CreateEvent")
    assert event["event"] == {kind.path: made}
    for task_id in ("1-1", "x", "1-", "9" * 40 + "-1"):
        assert (await client.get(f"{BASE}/{kind.path}/{task_id}")).status_code == 404


async def test_task_does_it_to_all_that_any_pattern_means_and_names_those_that_allowed_it(
    client, owner, side
):
    shelved = alarm_of("router3")
    await owner.put(A, B, shelved, alarm_of("router4", severity=Severity.CRITICAL))
    desk = side.desk
    await trio.to_thread.run_sync(
        lambda: desk.shelve(shelved.alarm_id, "bo", "", NOW_MS, until_ms=NOW_MS + 60_000)
    )
    await owner.settle()
    patterns = [
        {"perceivedSeverity": "minor"},
        {"perceivedSeverity": "major", "alarmType": "communicationsAlarm"},
    ]
    body = {"ackUserId": "anna", "ackSystemId": "noc", "alarmPattern": patterns}
    made = (await client.post(f"{BASE}/ackAlarms", json=body)).json()
    assert {one["href"].rpartition("/")[2] for one in made["ackedAlarm"]} == {A.alarm_id, B.alarm_id}
    assert desk.look(shelved.alarm_id)[1].state is OperatorState.SHELVED
    assert desk.look(A.alarm_id)[1].changes[-1].operator == "anna"


@pytest.mark.parametrize("pattern", [{}, {"colour": "red"}])
async def test_task_whose_pattern_is_none_is_refused(client, owner, pattern):
    await owner.put(A)
    body = {"ackUserId": "anna", "ackSystemId": "noc", "alarmPattern": [pattern]}
    assert (await client.post(f"{BASE}/ackAlarms", json=body)).status_code == 400


def group_of(parent: str, *members: str) -> dict:
    members_named = [{"id": member} for member in members]
    return examples.TASKS[GROUP_ALARMS.path] | {
        "parentAlarm": {"id": parent},
        "correlatedAlarm": members_named,
    }


async def test_what_operators_group_is_shown_at_both_ends_and_found_by_its_parent(client, owner):
    caused = alarm_of("router1/if/2", root_cause=B.alarm_id)
    await owner.put(msgspec.structs.replace(B, symptoms=1), A, caused)
    made = (
        await client.post(f"{BASE}/groupAlarms", json=group_of(B.alarm_id, A.alarm_id, B.alarm_id, "gone"))
    ).json()
    assert made["groupedAlarm"] == [
        {"href": f"{ALARMS}/{A.alarm_id}"}
    ]  # not itself, and not what is not there
    await owner.settle()
    members = {A.alarm_id, caused.alarm_id}
    shown = (await client.get(f"{ALARMS}/{B.alarm_id}")).json()
    assert {one["id"] for one in shown["correlatedAlarm"]} == members
    check_alarm(shown)
    shown = (await client.get(f"{ALARMS}/{A.alarm_id}")).json()
    assert [one["id"] for one in shown["parentAlarm"]] == [B.alarm_id]
    found = (await client.get(f"{ALARMS}?parentAlarm.id={B.alarm_id}")).json()
    assert {one["id"] for one in found} == members
    # By hand only what was grouped by hand is taken out.
    again = group_of(B.alarm_id, A.alarm_id, caused.alarm_id)
    made = (await client.post(f"{BASE}/unGroupAlarms", json=again)).json()
    assert made["unGroupedAlarm"] == [{"href": f"{ALARMS}/{A.alarm_id}"}]
    await owner.settle()
    shown = (await client.get(f"{ALARMS}/{B.alarm_id}")).json()
    assert [one["id"] for one in shown["correlatedAlarm"]] == [caused.alarm_id]


async def test_group_whose_parent_left_the_list_is_not_shown(client, owner):
    await owner.put(A, msgspec.structs.replace(B, is_cleared=True))
    await client.post(f"{BASE}/groupAlarms", json=group_of(B.alarm_id, A.alarm_id))
    assert (await client.delete(f"{ALARMS}/{B.alarm_id}")).status_code == 204
    await owner.settle()
    assert "parentAlarm" not in (await client.get(f"{ALARMS}/{A.alarm_id}")).json()
    assert "parentAlarm" not in (await client.get(ALARMS)).json()[0]
    assert (await client.get(f"{ALARMS}?parentAlarm.id={B.alarm_id}")).json() == []


@pytest.mark.parametrize(
    "wrong", [group_of("gone", A.alarm_id), group_of(B.alarm_id), group_of(B.alarm_id, "")]
)
async def test_group_without_parent_or_members_is_refused(client, owner, wrong):
    await owner.put(A, B)
    assert (await client.post(f"{BASE}/groupAlarms", json=wrong)).status_code == 400


async def test_condition_that_costs_too_much_is_refused_and_says_how_to_narrow_it(client, owner, monkeypatch):
    await owner.put(A, B)
    monkeypatch.setattr(finding, "SearchWork", lambda: SearchWork(50))
    answer = await client.get(f"{ALARMS}?alarmType=communicationsAlarm,equipmentAlarm")
    assert answer.status_code == 400
    assert "narrow it" in answer.json()["message"]
    assert (await client.get(f"{ALARMS}?perceivedSeverity=major")).status_code == 200


def test_judge_refuses_what_is_wrong():
    with pytest.raises(SwaggerMismatchError):
        check_alarm({"id": "a", "isRootCause": "yes"})
