import itertools

from ocs.diameter_gy.peer_states import TRANSITIONS, Action, Event, State


def test_every_state_has_a_row_for_every_event():
    assert set(TRANSITIONS) == set(itertools.product(State, Event))


def test_nothing_leads_out_of_closed_and_nothing_happens_there():
    assert all(TRANSITIONS[State.CLOSED, event] == ((), State.CLOSED) for event in Event)


def test_hanging_up_always_ends_in_closed():
    for (state, event), (actions, following) in TRANSITIONS.items():
        assert (Action.DISCONNECT in actions) <= (following is State.CLOSED), (state, event)


def test_before_capabilities_exchange_everything_but_a_cer_closes():
    tolerated = {Event.CER_ACCEPTED, Event.DRAINED}
    for event in set(Event) - tolerated:
        assert TRANSITIONS[State.WAIT_CER, event][1] is State.CLOSED, event


def test_no_row_but_an_accepted_cer_opens_a_connection():
    opening = {key for key, (_, following) in TRANSITIONS.items() if following is State.OPEN}
    assert {key for key in opening if key[0] is not State.OPEN} == {(State.WAIT_CER, Event.CER_ACCEPTED)}


def test_every_watchdog_request_after_capabilities_exchange_is_answered():
    for state in set(State) - {State.WAIT_CER, State.CLOSED}:
        assert TRANSITIONS[state, Event.RECEIVED_DWR] == ((Action.SEND_DWA,), state)


def test_requests_are_served_until_somebody_has_finished_with_leaving():
    serving = {state for state in State if Action.PROCESS in TRANSITIONS[state, Event.RECEIVED_REQUEST][0]}
    assert serving == {State.OPEN, State.CLOSING, State.PEER_LEAVING}


def test_lost_transport_closes_every_state():
    assert all(TRANSITIONS[state, Event.PEER_DISCONNECTED][1] is State.CLOSED for state in State)


def test_every_state_of_leaving_ends_by_timeouts_alone():
    for state in (State.CLOSING, State.FINISHING, State.PEER_LEAVING, State.PEER_LEFT):
        for _ in State:
            state = TRANSITIONS[state, Event.TIMEOUT][1]  # noqa: PLW2901
        assert state is State.CLOSED
