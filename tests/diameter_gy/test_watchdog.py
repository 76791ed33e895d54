import itertools

import pytest

from ocs.diameter_gy.watchdog import TRANSITIONS, Watchdog, WatchdogAction, WatchdogEvent, WatchdogState


def new_watchdog(*, reopened=False, jitters=(0.0,)):
    drawn = itertools.chain(jitters, itertools.repeat(0.0))
    return Watchdog(30.0, lambda: next(drawn), now_s=0.0, reopened=reopened)


def test_every_state_has_a_row_for_every_event():
    assert set(TRANSITIONS) == set(itertools.product(WatchdogState, WatchdogEvent))


def test_silence_of_one_interval_sends_one_watchdog():
    watchdog = new_watchdog()
    assert watchdog.expire(29.9) is WatchdogAction.NOTHING
    assert watchdog.expire(30.0) is WatchdogAction.SEND_DWR
    assert watchdog.expire(30.1) is WatchdogAction.NOTHING


def test_unanswered_watchdog_makes_the_connection_suspect_and_then_closes_it():
    watchdog = new_watchdog()
    watchdog.expire(30.0)
    assert watchdog.expire(60.0) is WatchdogAction.NOTHING
    assert watchdog.state is WatchdogState.SUSPECT
    assert watchdog.expire(90.0) is WatchdogAction.CLOSE
    assert watchdog.state is WatchdogState.DOWN


def test_answer_brings_a_suspect_connection_back():
    watchdog = new_watchdog()
    watchdog.expire(30.0)
    watchdog.expire(60.0)
    watchdog.hear_answer(61.0)
    assert watchdog.state is WatchdogState.OKAY
    assert watchdog.expire(91.0) is WatchdogAction.SEND_DWR


def test_traffic_brings_a_suspect_connection_back_and_postpones_the_watchdog():
    watchdog = new_watchdog()
    watchdog.expire(30.0)
    watchdog.expire(60.0)
    watchdog.hear(70.0)
    assert watchdog.state is WatchdogState.OKAY
    assert watchdog.due_s == 100.0


def test_traffic_alone_does_not_answer_an_open_watchdog():
    watchdog = new_watchdog()
    watchdog.expire(30.0)
    watchdog.hear(31.0)
    assert watchdog.expire(61.0) is WatchdogAction.NOTHING
    assert watchdog.state is WatchdogState.SUSPECT


def test_interval_is_jittered_anew_at_each_expiry():
    watchdog = new_watchdog(jitters=(2.0, -2.0))
    assert watchdog.due_s == 32.0
    watchdog.expire(32.0)
    assert watchdog.due_s == 60.0


def test_reopened_connection_is_probed_at_once_and_trusted_after_three_answers():
    watchdog = new_watchdog(reopened=True)
    for answer in range(3):
        now_s = answer * 40.0
        assert watchdog.state is WatchdogState.REOPEN
        assert watchdog.expire(now_s) is WatchdogAction.SEND_DWR
        watchdog.hear(now_s + 1)
        watchdog.hear_answer(now_s + 1)
    assert watchdog.state is WatchdogState.OKAY


def test_reopened_connection_that_stays_silent_is_closed_after_one_interval():
    watchdog = new_watchdog(reopened=True)
    watchdog.expire(0.0)
    assert watchdog.expire(30.0) is WatchdogAction.CLOSE


@pytest.mark.parametrize("reopened", [True, False])
def test_lost_transport_is_down(reopened):
    watchdog = new_watchdog(reopened=reopened)
    watchdog.disconnect()
    assert watchdog.state is WatchdogState.DOWN
    assert watchdog.expire(1000.0) is WatchdogAction.NOTHING
