"""Episodes: what each change makes of them."""

import msgspec
import pytest

from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.history.episodes import Episode, advance_episode
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from tests.support.alarms import NOW_MS, acknowledged_by, alarm_of, change_of

A = alarm_of("router1/if/1", last_raised_ms=NOW_MS - 77)
RAISED = Episode(A.alarm_id, A.key.resource, A.key.alarm_type, "", Severity.MAJOR, NOW_MS)


def test_raise_begins_an_episode_when_we_took_it():
    assert advance_episode(None, change_of(A)) == RAISED


def test_clear_ends_it():
    ended = advance_episode(RAISED, change_of(A, ChangeKind.CLEARED, NOW_MS + 5))
    assert ended == msgspec.structs.replace(RAISED, ended_ms=NOW_MS + 5)


def test_purge_ends_it_too_and_says_so():
    change = AlarmChange("c", ChangeKind.PURGED, A.alarm_id, NOW_MS + 5, None)
    assert advance_episode(RAISED, change) == msgspec.structs.replace(
        RAISED, ended_ms=NOW_MS + 5, is_purged=True
    )


def test_end_is_never_before_the_beginning():
    ended = advance_episode(RAISED, change_of(A, ChangeKind.CLEARED, NOW_MS - 5))
    assert ended is not None
    assert ended.ended_ms == NOW_MS


def test_worst_severity_is_kept():
    worse = msgspec.structs.replace(A, severity=Severity.CRITICAL)
    episode = advance_episode(RAISED, change_of(worse, ChangeKind.CHANGED))
    episode = advance_episode(episode, change_of(A, ChangeKind.CHANGED))
    assert episode is not None
    assert episode.severity == Severity.CRITICAL


def test_symptom_is_one_as_long_as_it_stands_under_a_cause():
    symptom = msgspec.structs.replace(A, root_cause="x", affected_services=("voice",))
    episode = advance_episode(RAISED, change_of(symptom, ChangeKind.REGROUPED))
    assert episode is not None
    assert (episode.is_symptom, episode.services) == (True, ("voice",))
    episode = advance_episode(episode, change_of(A, ChangeKind.REGROUPED))
    assert episode is not None
    assert (episode.is_symptom, episode.services) == (False, ("voice",))


def test_first_who_acknowledges_is_kept():
    first = advance_episode(
        RAISED, change_of(A, ChangeKind.OPERATED, NOW_MS + 1, operator=acknowledged_by(A, "kim"))
    )
    second = advance_episode(
        first, change_of(A, ChangeKind.OPERATED, NOW_MS + 2, operator=acknowledged_by(A, "lee"))
    )
    assert second is not None
    assert (second.acknowledged_ms, second.acknowledged_by) == (NOW_MS + 1, "kim")


@pytest.mark.parametrize("state", [OperatorState.NONE, OperatorState.SHELVED, OperatorState.UN_SHELVED])
def test_who_only_shelves_or_comments_has_not_seen_to_it(state: OperatorState):
    change = change_of(A, ChangeKind.OPERATED, operator=OperatorRecord(A.alarm_id, state))
    assert advance_episode(RAISED, change) == RAISED


def test_acknowledgement_that_stands_from_before_is_none_of_a_new_raise():
    episode = advance_episode(None, change_of(A, operator=acknowledged_by(A, "kim")))
    assert episode == RAISED


@pytest.mark.parametrize("kind", [ChangeKind.CLEARED, ChangeKind.PURGED])
def test_end_without_a_beginning_is_nothing(kind: ChangeKind):
    assert advance_episode(None, change_of(A, kind)) is None


def test_beginning_that_was_missed_is_taken_from_the_alarm():
    episode = advance_episode(None, change_of(A, ChangeKind.ESCALATED))
    assert episode is not None
    assert episode.raised_ms == A.last_raised_ms


def test_change_of_an_alarm_that_is_over_begins_nothing():
    over = msgspec.structs.replace(A, is_cleared=True)
    assert advance_episode(None, change_of(over, ChangeKind.OPERATED)) is None


def test_raise_that_was_cleared_in_the_same_batch_begins_an_episode_all_the_same():
    over = msgspec.structs.replace(A, is_cleared=True)
    assert advance_episode(None, change_of(over, ChangeKind.RAISED)) == RAISED
