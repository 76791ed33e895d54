"""``ocs-sim gateway``: its options, its summary, and a run over sockets."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from simulators.cli import main, parser
from simulators.gateway.command import SetupError, chosen_habits, chosen_subscribers, run_settings


def options(*words: str) -> Any:
    return parser().parse_args(["gateway", *words])


def test_subscribers_are_counted_up() -> None:
    chosen = chosen_subscribers(
        options("--subscribers", "2", "--msisdn-from", "491710000009", "--imsi-from", "001010000000009")
    )
    assert [(one.msisdn, one.imsi) for one in chosen] == [
        ("491710000009", "001010000000009"),
        ("491710000010", "001010000000010"),
    ]


def test_subscribers_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "subscribers"
    path.write_text("# lab\n491710000001 262010000000001\n\n491710000002\n")
    chosen = chosen_subscribers(options("--subscribers-file", str(path)))
    assert [(one.msisdn, one.imsi) for one in chosen] == [
        ("491710000001", "262010000000001"),
        ("491710000002", ""),
    ]


@pytest.mark.parametrize("words", [["--msisdn-from", "+49171"], ["--imsi-from", "x"], ["--subscribers", "0"]])
def test_numbers_that_are_none_are_refused(words: list[str]) -> None:
    with pytest.raises(SetupError):
        chosen_subscribers(options(*words))


def test_file_with_a_bad_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "subscribers"
    path.write_text("491710000001\nAnna\n")
    with pytest.raises(SetupError, match="Anna"):
        chosen_subscribers(options("--subscribers-file", str(path)))


@pytest.mark.parametrize(
    "words",
    [
        ["--rate", "0"],
        ["--duration", "-1"],
        ["--count", "0"],
        ["--lost", "2"],
        ["--timeout", "0"],
        ["--time-scale", "0"],
    ],
)
def test_values_out_of_range_are_named(words: list[str]) -> None:
    with pytest.raises(SetupError, match=words[0]):
        run_settings(options(*words))


def test_run_without_a_bound_takes_ten_seconds() -> None:
    assert run_settings(options()).duration_s == 10.0
    assert run_settings(options("--count", "5")).duration_s is None


def test_rating_groups_are_numbers() -> None:
    assert chosen_habits(options("--rating-groups", "1,20")).data_rating_groups == (1, 20)
    with pytest.raises(SetupError, match="a,b"):
        chosen_habits(options("--rating-groups", "a,b"))


def test_run_over_sockets_leaves_summary_json_and_junit(
    ocs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, junit = tmp_path / "summary.json", tmp_path / "junit.xml"
    status = main(
        [
            "gateway",
            "--port",
            str(ocs.port),
            "--subscribers",
            "5",
            "--count",
            "60",
            "--lost",
            "0.1",
            "--time-scale",
            "2000",
            "--json",
            str(out),
            "--junit",
            str(junit),
        ]
    )
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "2001" in printed
    summary = json.loads(out.read_text())
    assert summary["requests"] >= 60
    assert all(expectation["failed"] == 0 for expectation in summary["expectations"])
    reported: dict[tuple[str, int], int] = {}
    for session in summary["sessions"]:
        for group, units in session["used"].items():
            if session["service"] != "sms":
                reported[session["session_id"], int(group)] = units
    charged: dict[tuple[str, int], int] = dict.fromkeys(reported, 0)
    for _, session_id, group, units in ocs.charged:
        charged[session_id, group] += units
    assert charged == reported
    assert ET.parse(junit).getroot().attrib["failures"] == "0"


def test_broken_server_makes_the_run_fail(ocs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def without_number(request: Any, answer: Any) -> Any:
        answer.cc_request_number = None
        return answer

    ocs.change = without_number
    status = main(["gateway", "--port", str(ocs.port), "--count", "3", "--time-scale", "2000"])
    assert status == 1
    assert "CC-Request-Number stands 0 times" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (5030, "create them with `ocs account create --msisdn 491710000001 ...`"),
        (3003, "does not serve realm lab.example; check --realm"),
    ],
)
def test_run_in_which_everything_is_refused_fails_and_says_what_to_do(
    code: int, told: str, ocs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(request: Any, answer: Any) -> Any:
        answer.result_code = 5002 if code == 5030 and request.cc_request_type == 3 else code
        answer.header.is_error = code < 4000
        answer.multiple_services_credit_control = []
        return answer

    ocs.change = refuse
    options = ["--subscribers", "1", "--count", "10", "--time-scale", "20000", "--lost", "0"]
    status = main(["gateway", "--port", str(ocs.port), *options])
    printed = capsys.readouterr().out
    assert status == 1
    assert told in printed
    assert "nothing was granted or charged" in printed
    assert "mean -, longest -" in printed
    assert ("Result-Code 3003 for a correct request" in printed) == (code == 3003)
    assert "5002 for a correct request" not in printed


def test_unknown_host_is_one_line_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gateway", "--host", "nowhere.invalid"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("ocs-sim gateway: no Diameter connection to nowhere.invalid:3868: ")
    assert printed.count("\n") == 1


def test_bad_option_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gateway", "--rate", "0"]) == 2
    assert capsys.readouterr().err == "ocs-sim gateway: --rate must be more than 0, not 0\n"
