"""Log lines: their form, what they hide, and how repeats are held back."""

import io
import json
import logging

import pytest
import structlog

from ocs.clock import ManualClock
from ocs.log import RepeatLimiter, configure_logging, get_logger, mask_identity, mask_url
from ocs.settings import LogSettings


@pytest.fixture(autouse=True)
def _restore_logging():
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:], logging.root.level = handlers, level


def logged(settings: LogSettings, **fields: object) -> dict[str, object]:
    stream = io.StringIO()
    configure_logging(settings, stream=stream)
    get_logger("ocs.test").warning("refused", **fields)
    return json.loads(stream.getvalue())


def test_line_is_one_json_object_with_utc_time_level_and_module():
    line = logged(LogSettings(), result_code=4012, path=b"\xff")
    assert (line["event"], line["level"], line["module"], line["result_code"]) == (
        "refused", "warning", "ocs.test", 4012,
    )  # fmt: skip
    assert str(line["timestamp"]).endswith("Z")


def test_lines_under_the_level_are_not_written():
    stream = io.StringIO()
    configure_logging(LogSettings(level="error"), stream=stream)
    get_logger("x").warning("quiet")
    get_logger("x").error("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_console_style_is_for_people():
    stream = io.StringIO()
    configure_logging(LogSettings(), style="console", stream=stream)
    get_logger("x").info("peer open", origin_host="pgw.example")
    assert "peer open" in stream.getvalue()
    assert "origin_host=pgw.example" in stream.getvalue()


def test_exception_is_in_the_line():
    stream = io.StringIO()
    configure_logging(LogSettings(), stream=stream)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        get_logger("x").exception("request failed")
    assert "RuntimeError: boom" in json.loads(stream.getvalue())["exception"]


def test_console_traceback_shows_no_local_variables():
    stream = io.StringIO()
    configure_logging(LogSettings(), style="console", stream=stream)
    message_contents = "subscriber-details"
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        get_logger("x").exception("request failed")
    assert "RuntimeError: boom" in stream.getvalue()
    assert message_contents not in stream.getvalue()


def test_warnings_of_other_packages_become_lines_of_ours():
    stream = io.StringIO()
    configure_logging(LogSettings(), stream=stream)
    logging.getLogger("hypercorn.error").warning("odd %s", "thing")
    logging.getLogger("hypercorn.error").info("Running on")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["module"], line["level"]) == ("odd thing", "hypercorn.error", "warning")


def test_secrets_are_never_written():
    assert logged(LogSettings(), password="hunter2", token="t")["password"] == "***"


def test_identities_are_masked_by_field_and_by_form_when_set():
    fields = {
        "subscription_ids": ("imsi:262011234567890", "e164:491711234567"),
        "called_party": "491711234567",
        "remedy": "create an account for imsi:262011234567890, or remove it",
        "details": {"msisdn": "491711234567", "count": 2},
        "session_id": "pgw.example;1876543210;523",
    }
    line = logged(LogSettings(mask_identities=True), **fields)
    assert line["subscription_ids"] == ["imsi:26201********90", "e164:491*******67"]
    assert line["called_party"] == "491*******67"
    assert line["remedy"] == "create an account for imsi:26201********90, or remove it"
    assert line["details"] == {"msisdn": "491*******67", "count": 2}
    assert line["session_id"] == fields["session_id"]
    assert logged(LogSettings(), **fields)["called_party"] == "491711234567"


@pytest.mark.parametrize(
    ("identity", "masked"),
    [
        ("imsi:262011234567890", "imsi:26201********90"),
        ("e164:491711234567", "e164:491*******67"),
        ("sip:alice@ims.example", "sip:a****@ims.example"),
        ("sip:alice@ims.example:5060", "sip:a****@ims.example:5060"),
        ("nai:bob@example", "nai:***@example"),
        ("private:xyz", "private:***"),
        ("e164:112", "e164:***"),
        ("491711234567", "491*******67"),
        ("", ""),
    ],
)
def test_identity_is_masked_but_can_be_told_apart(identity: str, masked: str):
    assert mask_identity(identity) == masked


def test_password_in_an_address_is_masked():
    assert mask_url("redis://user:secret@host:6379/0") == "redis://user:***@host:6379/0"
    assert mask_url("unix:///run/store.sock") == "unix:///run/store.sock"


def test_repeated_line_is_written_once_in_an_interval_with_the_number_swallowed():
    clock = ManualClock(0)
    limiter = RepeatLimiter(clock, interval_ms=1000)
    assert [limiter.admit("a") for _ in range(4)] == [0, None, None, None]
    assert limiter.admit("b") == 0
    clock.advance_ms(1000)
    assert limiter.admit("a") == 3
    assert limiter.admit("a") is None


def test_clock_set_back_does_not_silence_a_key():
    clock = ManualClock(10_000)
    limiter = RepeatLimiter(clock, interval_ms=1000)
    assert limiter.admit("a") == 0
    clock.advance_ms(-9_000)
    assert limiter.admit("a") == 0


def test_limiter_remembers_a_bounded_number_of_keys():
    limiter = RepeatLimiter(ManualClock(0), keys_max=2)
    for key in ("a", "b", "c"):
        limiter.admit(key)
    assert limiter.admit("a") == 0
    assert limiter.admit("c") is None


def test_lines_go_to_the_stderr_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    monkeypatch.setattr("sys.stderr", closed)
    configure_logging(LogSettings())
    closed.close()
    now = io.StringIO()
    monkeypatch.setattr("sys.stderr", now)
    get_logger("tests").warning("still_told")
    assert "still_told" in now.getvalue()
