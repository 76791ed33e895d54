"""The runner itself: what is not written as scenarios are is refused, and a wrong expectation fails in words."""

import datetime as dt

import pytest

from tests.endtoend.wire import ABORT_SESSION, CREDIT_CONTROL, RE_AUTH
from tests.endtoend.wireshark import TSHARK, messages_seen
from tests.scenarios.avps import ScenarioError, make, read, word_of
from tests.scenarios.expectations import differences
from tests.scenarios.play import ScenarioFailedError
from tests.scenarios.scenario import FOLDER, read_scenario, scenario_files

SCENARIO = """
title = "t"
clause = "c"
service = "data"
[accounts.user]
balance = "1.00"
offers = ["internet"]
"""
LOGON = """
[[steps]]
send = "INITIAL_REQUEST"
avps.Multiple-Services-Credit-Control = { Requested-Service-Unit = {} }
"""
# Demands come in the order in which they were asked for: when the second is heard, the first is there.
TWO_ABORTED = "".join(
    [LOGON + f'session = "{name}"\n' for name in ("one", "two")]
    + [
        f'[[steps]]\ncommand = ["session", "abort", "{{session}}"]\nsession = "{name}"\n'
        for name in ("one", "two")
    ]
    + ['[[steps]]\nhear = "ASR"\nsession = "two"\n']
)


def found(**members):
    return read(make({name.replace("_", "-"): value for name, value in members.items()}))


# --- Files ------------------------------------------------------------------------------------------------


def test_flows_of_the_standard_are_all_there():
    names = {path.stem for path in scenario_files() if path.parent.name == "rfc8506"}
    assert names >= {f"flow_{number}" for number in range(1, 10)}


def test_every_scenario_can_be_read_and_has_a_name_of_its_own():
    read_ones = [read_scenario(path.stem, path.read_text(encoding="utf-8")) for path in scenario_files()]
    assert len({scenario.name for scenario in read_ones}) == len(read_ones)
    assert all(scenario.clause and scenario.steps for scenario in read_ones)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (SCENARIO + LOGON + "expects.Result-Code = 2001", "x, step 1: .*`expects`"),
        (SCENARIO + LOGON + 'top_up = "1"', "x, step 1: it has one of send, hear"),
        (SCENARIO + "[[steps]]\nsays = 'nothing'", "x, step 1: it has one of send, hear"),
        (SCENARIO + LOGON + 'account = "bob"', "x, step 1: there is no account 'bob'"),
        (SCENARIO + '[[steps]]\nhear = "RAR"', "x, step 1: no step before it begins session ''"),
        (SCENARIO + '[[steps]]\nsend = "COPY"', "x, step 1: no step before it begins session ''"),
        (SCENARIO.replace("offers", "offer") + LOGON, r"x: .*`offer` - at `\$.accounts"),
        (SCENARIO + LOGON.replace("INITIAL", "FIRST"), "x, step 1: Invalid enum value 'FIRST_REQUEST'"),
        ("title =", "x: Invalid value"),
    ],
)
def test_what_is_no_scenario_is_refused_with_its_place(text, fault):
    with pytest.raises(ScenarioError, match=fault):
        read_scenario("x", text)


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"Rating-Grope": 1}, "Rating-Grope is no AVP"),
        ({"Multiple-Services-Credit-Control": {"Rating-Grope": 1}}, r"Control\.Rating-Grope is no AVP"),
        ({"Multiple-Services-Credit-Control": 1}, "is a group: write a table"),
        ({"Rating-Group": {}}, "Rating-Group is no group"),
        ({"CC-Request-Type": "FIRST"}, "CC-Request-Type has no value FIRST"),
        ({"Rating-Group": -1}, "Rating-Group"),
    ],
)
def test_what_is_no_avp_is_refused_with_its_name(members, fault):
    with pytest.raises(ScenarioError, match=fault):
        make(members)


# --- Expectations -----------------------------------------------------------------------------------------


def test_expectation_that_holds_tells_nothing():
    answer = found(Result_Code=2001, Rating_Group=[1, 2], Proxy_Info={"Proxy-Host": "p", "Proxy-State": "s"})
    expected = {
        "Result-Code": "DIAMETER_SUCCESS",
        "Rating-Group": [1, {"at_least": 2, "at_most": 2}],
        "Proxy-Info": {"Proxy-State": "s", "absent": ["Rating-Group"]},
        "absent": ["Session-Id"],
    }
    assert differences(expected, answer) == []


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({"Result-Code": "DIAMETER_UNABLE_TO_COMPLY"}, "Result-Code is 2001 (DIAMETER_SUCCESS), expected DIAMETER_UNABLE_TO_COMPLY"),
        ({"Result-Code": {"at_least": 4000}}, "Result-Code is 2001, expected at least 4000"),
        ({"Rating-Group": 1}, "Rating-Group is there twice, expected once"),
        ({"Rating-Group": [1, 3]}, "Rating-Group[2] is 2, expected 3"),
        ({"Session-Id": "a"}, "Session-Id is there not at all, expected once"),
        ({"absent": ["Result-Code"]}, "Result-Code is there, and should not be"),
        ({"Proxy-Info": {"Proxy-State": "t"}}, "Proxy-Info.Proxy-State is 's', expected 't'"),
        ({"Event-Timestamp": {"within_s": 60}}, "Event-Timestamp is 2026-01-01 00:00:00"),
    ],
)  # fmt: skip
def test_expectation_that_does_not_hold_is_told_with_both_sides(expected, told):
    answer = found(
        Result_Code=2001,
        Rating_Group=[1, 2],
        Proxy_Info={"Proxy-Host": "p", "Proxy-State": "s"},
        Event_Timestamp=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )
    (line,) = differences(expected, answer)
    assert line.startswith(told)


@pytest.mark.parametrize(
    "expected",
    [{"Result": 1}, {"Proxy-Info": 1}, {"Result-Code": {"Rating-Group": 1}}, {"absent": "Result-Code"}],
)
def test_expectation_that_is_none_is_refused(expected):
    with pytest.raises(ScenarioError):
        differences(expected, found(Result_Code=2001, Proxy_Info={"Proxy-Host": "p", "Proxy-State": "s"}))


def test_number_is_shown_with_its_word():
    assert word_of("Result-Code", 4012) == "4012 (DIAMETER_CREDIT_LIMIT_REACHED)"
    assert word_of("Rating-Group", 7) == "7"


# --- Plays ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (LOGON + "expect.Result-Code = 4012", ["step 1:", "Result-Code is 2001 (DIAMETER_SUCCESS), expected 4012", "Granted-Service-Unit"]),
        (LOGON + '[[steps]]\nsays = "look"\nbooks.user = { reserved = "0.20" }', ["step 2 (look):", "user's reserved is 0.1, expected 0.20"]),
        ('[[steps]]\nbooks.user = { charges = ["-0.10"] }', ["user's charges are none, expected -0.10"]),
        ("[[steps]]\nbooks.user = { allowances = { bundle = 1 } }", ["user's bundle holds None, expected 1"]),
        (TWO_ABORTED, ["the server asked, and no step heard it", "Abort-Session for"]),
    ],
)  # fmt: skip
def test_play_that_goes_otherwise_fails_with_step_and_both_sides(perform, request, steps, told):
    scenario = read_scenario(f"wrong-{request.node.callspec.indices['steps']}", SCENARIO + steps)
    with pytest.raises(ScenarioFailedError) as caught:
        perform(scenario)
    for words in told:
        assert words in str(caught.value)


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed (Debian: tshark)")
def test_wireshark_sees_what_the_server_asks_and_what_it_is_answered(perform, capture, tmp_path):
    for name in ("reauthorisation_after_top_up", "abort_by_the_operator"):
        text = (FOLDER / "gy" / f"{name}.toml").read_text(encoding="utf-8")
        perform(read_scenario(f"seen-{name}", text))
    capture.write(tmp_path / "seen.pcap")
    asked = {RE_AUTH, ABORT_SESSION, CREDIT_CONTROL}
    assert messages_seen(tmp_path / "seen.pcap") >= {
        (code, is_request) for code in asked for is_request in (True, False)
    }


def test_member_of_an_account_that_there_is_not_is_refused():
    member = '[accounts.child]\nof = "mother"\noffers = []\n'
    with pytest.raises(ScenarioError, match="child is of 'mother', which is no account before it"):
        read_scenario("x", SCENARIO + member + LOGON)


def test_number_of_nobody_is_refused(perform):
    step = '[[steps]]\nsend = "EVENT_REQUEST"\navps.User-Name = "{bob.msisdn}"'
    with pytest.raises(ScenarioError, match=r"nobodys: \{bob\.msisdn\}: 'bob'"):
        perform(read_scenario("nobodys", SCENARIO + step))
