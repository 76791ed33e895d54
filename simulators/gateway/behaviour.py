"""A subscriber's day: sessions, calls and messages with pauses between them, from a seeded generator."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Literal

import msgspec

from ocs.messages import RequestedAction, Service
from simulators.gateway.model import Behaviour, Pause, Subscriber, Units
from simulators.gateway.sessions import Leaving, Session, data_session, one_time_event, voice_session

Activity = Literal["data", "voice", "sms", "refund", "balance", "price"]

_MIB: Final = 1_048_576
_ONE_MESSAGE: Final = Units(service_specific_units=1)


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """What subscribers do, and how much.

    Attributes:
        weights: how often each activity is chosen.
        pause_s: mean simulated seconds between two activities.
        data_octets, data_octets_per_s, talk_s: means of a session's size, speed, and of a call's length.
        plain_share: share of one-time events in the plain form, without Multiple-Services-Credit-Control.
        called_parties: E.164 digits that are called and texted.
    """

    weights: dict[Activity, int] = msgspec.field(
        default_factory=lambda: {"data": 5, "voice": 3, "sms": 3, "refund": 1, "balance": 1, "price": 1}
    )
    pause_s: float = 120.0
    data_octets: int = 40 * _MIB
    data_octets_per_s: float = 250_000.0
    talk_s: float = 150.0
    data_rating_groups: tuple[int, ...] = (1, 2, 3, 8, 9)
    voice_rating_group: int = 100
    sms_rating_group: int = 200
    plain_share: float = 0.3
    called_parties: tuple[str, ...] = ("493012345678", "442071234567", "4915112345678")


# A subscriber's behaviour, once it is known where Session-Ids come from and how it learns that it is to leave.
Plot = Callable[[Callable[[], str], Leaving], Behaviour]


def plots(subscribers: Sequence[Subscriber], habits: Habits, *, seed: int) -> list[Plot]:
    """A day for each subscriber; the same seed plays the same days."""

    def plot(subscriber: Subscriber) -> Plot:
        rng = Random(f"{seed}/{subscriber.msisdn}")
        return lambda next_session_id, leaving: subscriber_day(
            subscriber, habits, rng, next_session_id, leaving
        )

    return [plot(subscriber) for subscriber in subscribers]


def subscriber_day(
    subscriber: Subscriber, habits: Habits, rng: Random, next_session_id: Callable[[], str], leaving: Leaving
) -> Behaviour:
    """Do one thing after another until told to leave.

    Args:
        next_session_id: makes Session-Ids that are unique for ever (RFC 6733 section 8.8).
    """
    activities, weights = list(habits.weights), list(habits.weights.values())
    day = _Day(subscriber, habits, rng, next_session_id, leaving)
    yield Pause(rng.uniform(0, habits.pause_s))
    while not leaving.now:
        yield from day.do(rng.choices(activities, weights)[0])
        if not leaving.now:
            yield Pause(rng.expovariate(1 / habits.pause_s))


class _Day:
    """What a subscriber can do, and which of its messages it may still want its money back for."""

    def __init__(
        self,
        subscriber: Subscriber,
        habits: Habits,
        rng: Random,
        next_session_id: Callable[[], str],
        leaving: Leaving,
    ) -> None:
        self._subscriber = subscriber
        self._habits = habits
        self._rng = rng
        self._next_session_id = next_session_id
        self._leaving = leaving
        self._refundable: list[tuple[Session, int | None]] = []

    def _session(
        self, service: Service, *, called_party: str = "", multiple_services: bool = True
    ) -> Session:
        return Session(
            subscriber=self._subscriber,
            session_id=self._next_session_id(),
            service=service,
            rng=self._rng,
            leaving=self._leaving,
            called_party=called_party,
            multiple_services=multiple_services,
        )

    def do(self, activity: Activity) -> Behaviour:
        """Do one thing; a refund is left out while nothing was charged that could come back."""
        rng, habits = self._rng, self._habits
        called_party = rng.choice(habits.called_parties)
        match activity:
            case "data":
                count = rng.randint(1, len(habits.data_rating_groups))
                groups = tuple(rng.sample(habits.data_rating_groups, count))
                octets = max(1, round(rng.expovariate(1 / habits.data_octets)))
                yield from data_session(
                    self._session(Service.DATA), groups, octets=octets, octets_per_s=habits.data_octets_per_s
                )
            case "voice":
                talk_s = max(1, round(rng.expovariate(1 / habits.talk_s)))
                call = self._session(Service.VOICE, called_party=called_party)
                yield from voice_session(call, habits.voice_rating_group, talk_s=talk_s)
            case "refund":
                yield from self._refund()
            case "sms" | "balance" | "price":
                yield from self._event(_ACTIONS[activity], called_party)

    def _event(self, action: RequestedAction, called_party: str) -> Behaviour:
        """Send a message, or ask about one; what was charged may be refunded later."""
        plain = self._rng.random() < self._habits.plain_share
        event = self._session(Service.SMS, called_party=called_party, multiple_services=not plain)
        rating_group = None if plain else self._habits.sms_rating_group
        answer = yield from one_time_event(event, action, _ONE_MESSAGE, rating_group)
        if action is RequestedAction.DIRECT_DEBITING and answer is not None and answer.succeeded:
            self._refundable.append((event, rating_group))

    def _refund(self) -> Behaviour:
        """Take back one message that was charged, in its own session, once.

        Servers need not look for the debit that a refund undoes (RFC 8506 section 6.4): a refund of anything else
        would give money away.
        """
        if self._refundable:
            event, rating_group = self._refundable.pop(self._rng.randrange(len(self._refundable)))
            yield from one_time_event(event, RequestedAction.REFUND_ACCOUNT, _ONE_MESSAGE, rating_group)


_ACTIONS: Final[dict[Literal["sms", "balance", "price"], RequestedAction]] = {
    "sms": RequestedAction.DIRECT_DEBITING,
    "balance": RequestedAction.CHECK_BALANCE,
    "price": RequestedAction.PRICE_ENQUIRY,
}
