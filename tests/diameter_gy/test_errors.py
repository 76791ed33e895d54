"""Result codes as classes."""

import inspect

import pytest

from ocs.diameter_gy import errors
from ocs.diameter_gy.errors import DiameterError, FramingError, InvalidMessageLength, UnsupportedVersion
from ocs.limits import LOG_TEXT_CHARACTERS_MAX

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, DiameterError) and found not in (DiameterError, FramingError)
]


def test_each_result_code_has_one_class():
    codes = [found.result_code for found in CLASSES]
    assert len(set(codes)) == len(codes)
    assert {3001, 3002, 3003, 3004, 3005, 3007, 3008, 3009, 3010} <= set(codes)
    assert {5001, 5002, 5003, 5004, 5005, 5008, 5009, 5010, 5011, 5012, 5013, 5014, 5015, 5017} <= set(codes)
    assert {4010, 4011, 4012, 5030, 5031} <= set(codes)


@pytest.mark.parametrize("found", CLASSES)
def test_only_codes_of_the_3000s_are_protocol_errors(found):
    error = found("reason", b"failed")
    assert error.is_protocol_error == (error.result_code // 1000 == 3)
    assert (error.error_message, error.failed_avp) == ("reason", b"failed")


@pytest.mark.parametrize("cause", [UnsupportedVersion("version 2"), InvalidMessageLength("21 octets")])
def test_framing_error_carries_the_code_of_its_cause(cause):
    error = FramingError(cause, bytes(20), [b"before"])
    assert error.result_code == cause.result_code
    assert error.error_message == cause.error_message
    assert (error.header, error.messages) == (bytes(20), [b"before"])


def test_remedies_are_for_codes_that_exist():
    assert set(errors.REMEDIES) <= {found.result_code for found in CLASSES}


def test_text_that_quotes_a_long_avp_is_cut():
    error = errors.RatingFailed("Service-Context-Id " + "x" * 60_000)
    assert len(error.error_message) == len(str(error)) == LOG_TEXT_CHARACTERS_MAX
