"""A promoted server is compared with what the one before it had acknowledged."""

import pytest

from ocs.balance.store_history import ReplicationState, StoreHistory, Verdict, read_replication_state

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40


def text(**fields: object) -> str:
    told = {
        "role": "master",
        "connected_slaves": 1,
        "master_replid": TWO,
        "master_replid2": ONE,
        "master_repl_offset": 120,
        "second_repl_offset": 101,
        **fields,
    }
    return "# Replication\r\n" + "".join(f"{name}:{value}\r\n" for name, value in told.items())


def test_promoted_server_tells_which_history_it_continues_and_how_much_of_it_it_has():
    assert read_replication_state(text()) == ReplicationState(True, TWO, 120, ONE, 100)


def test_server_that_was_never_promoted_continues_nothing():
    state = read_replication_state(text(master_replid2="0" * 40, second_repl_offset=-1))
    assert state == ReplicationState(True, TWO, 120)


def test_replica_is_no_primary():
    assert not read_replication_state(text(role="slave")).is_primary


def test_reply_without_a_field_is_refused():
    with pytest.raises(ValueError, match="master_replid"):
        read_replication_state("role:master\r\nsecond_repl_offset:-1\r\n")


@pytest.fixture
def history() -> StoreHistory:
    """Server "a" has acknowledged a hundred octets."""
    history = StoreHistory()
    assert history.judge("a", ReplicationState(True, ONE, 10)) is Verdict.FIRST
    history.note(ONE, 100)
    history.note(ONE, 90)  # an older reply that came later
    return history


def test_server_that_we_reach_again_is_the_same(history: StoreHistory):
    assert history.judge("a", ReplicationState(True, ONE, 300)) is Verdict.SAME


def test_server_that_was_started_again_is_no_promotion(history: StoreHistory):
    assert history.judge("a", ReplicationState(True, THREE, 0)) is Verdict.RESTARTED


@pytest.mark.parametrize(
    ("continued_to", "verdict", "lost"),
    [(100, Verdict.PROMOTED, 0), (150, Verdict.PROMOTED, 0), (99, Verdict.PROMOTED_LOSSY, 1)],
)
@pytest.mark.parametrize("server", ["a", "b"])
def test_promoted_server_is_lossy_when_it_lacks_what_was_acknowledged(
    history: StoreHistory, server: str, continued_to: int, verdict: Verdict, lost: int
):
    """Wherever it is found: at an address of its own, or behind the one that the store always has."""
    state = ReplicationState(True, TWO, 200, ONE, continued_to)
    assert history.judge(server, state, "a") is verdict
    assert history.lost_octets(state) == lost
    assert history.judge(server, state, "a") is Verdict.SAME  # a second connection to it says nothing new


def test_second_promotion_is_compared_with_what_the_first_successor_acknowledged(history: StoreHistory):
    history.judge("b", ReplicationState(True, TWO, 100, ONE, 100), "a")
    history.note(TWO, 250)
    state = ReplicationState(True, THREE, 240, TWO, 240)
    assert history.judge("a", state, "b") is Verdict.PROMOTED_LOSSY


def test_successor_that_was_promoted_before_us_has_at_least_what_it_continues(history: StoreHistory):
    history.judge("b", ReplicationState(True, TWO, 130, ONE, 120), "a")
    state = ReplicationState(True, THREE, 110, TWO, 110)
    assert history.judge("a", state, "b") is Verdict.PROMOTED_LOSSY


def test_server_in_anothers_place_that_continues_nothing_known_is_unrelated(history: StoreHistory):
    assert history.judge("b", ReplicationState(True, THREE, 500, TWO, 400), "a") is Verdict.UNRELATED


def test_server_that_took_nobodys_place_is_new(history: StoreHistory):
    """A cluster's new primary: slots move to it."""
    assert history.judge("b", ReplicationState(True, THREE, 500)) is Verdict.FIRST
