"""The same packet again gets the same reply, for as long as clients repeat."""

from ocs.limits import RADIUS_DUPLICATES_MAX, RADIUS_DUPLICATES_S
from ocs.radius.duplicates import Duplicates, RequestKey


def key(number=0):
    return RequestKey("192.0.2.1", 1024, 1, number.to_bytes(16))


def test_a_repeat_is_silent_until_there_is_a_reply_and_has_it_then():
    duplicates = Duplicates()
    assert duplicates.begin(key(), 0) is None
    assert duplicates.begin(key(), 1) == b""
    duplicates.finish(key(), b"reply", 2)
    assert duplicates.begin(key(), 3) == b"reply"


def test_a_request_without_reply_is_new_again():
    duplicates = Duplicates()
    duplicates.begin(key(), 0)
    duplicates.forget(key())
    assert duplicates.begin(key(), 1) is None


def test_a_reply_is_forgotten_in_time_and_another_authenticator_is_another_request():
    duplicates = Duplicates()
    duplicates.begin(key(), 0)
    duplicates.finish(key(), b"reply", 0)
    assert duplicates.begin(key(1), 1) is None
    assert duplicates.begin(key(), RADIUS_DUPLICATES_S) is None


def test_the_oldest_give_way():
    duplicates = Duplicates()
    for number in range(RADIUS_DUPLICATES_MAX + 1):
        duplicates.begin(key(number), 0)
    assert duplicates.begin(key(0), 0) is None
    assert duplicates.begin(key(5), 0) == b""
