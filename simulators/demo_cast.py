"""Who plays in the demo, and what they do: five subscribers, one of whom runs out of money, is redirected and pays."""

from collections.abc import Callable
from random import Random
from typing import Final

import msgspec

from ocs.messages import RequestedAction, Service
from simulators.gateway.behaviour import Plot
from simulators.gateway.model import Behaviour, Pause, Subscriber, Units
from simulators.gateway.sessions import Leaving, Session, data_session, one_time_event, voice_session

MIB: Final = 1_048_576
_BROWSING: Final = 1
_VIDEO: Final = 2
_MESSAGING: Final = 3
_CALLS: Final = 100
_SMS: Final = 200
_BERLIN: Final = "493012345678"
_LONDON: Final = "442071234567"
_ONE_MESSAGE: Final = Units(service_specific_units=1)


class Character(msgspec.Struct, frozen=True):
    """One subscriber of the demo.

    Attributes:
        balance: opening balance as the operator types it.
        top_up: what is paid when credit has run out, in the middle of a session; empty for never.
    """

    name: str
    account: str
    offer: str
    balance: str
    subscriber: Subscriber
    about: str
    top_up: str = ""


CAST: Final = (
    Character(
        "Anna",
        "A1",
        "prepaid-basic",
        "3.00",
        Subscriber("491710000001", "262010000000001"),
        "browses and watches video",
    ),
    Character(
        "Ben", "B1", "prepaid-basic", "2.50", Subscriber("491710000002", "262010000000002"), "calls and texts"
    ),
    Character(
        "Cem",
        "C1",
        "young",
        "0.12",
        Subscriber("491710000003", "262010000000003"),
        "is almost out of credit",
        top_up="5.00",
    ),
    Character(
        "Dora",
        "D1",
        "prepaid-data-5g",
        "1.00",
        Subscriber("491710000004", "262010000000004"),
        "has 20 GB included, and 10 at night",
    ),
    Character(
        "Emil", "E1", "prepaid-basic", "0.30", Subscriber("491710000005", "262010000000005"), "sends messages"
    ),
)


class _Stage:
    """What a character's plot needs to begin sessions."""

    def __init__(
        self, character: Character, rng: Random, next_session_id: Callable[[], str], leaving: Leaving
    ) -> None:
        self.rng = rng
        self.leaving = leaving
        self._character = character
        self._next_session_id = next_session_id

    def _session(self, service: Service, called_party: str = "") -> Session:
        return Session(
            subscriber=self._character.subscriber,
            session_id=self._next_session_id(),
            service=service,
            rng=self.rng,
            leaving=self.leaving,
            called_party=called_party,
        )

    def browse(self, *rating_groups: int, mib: int, mib_per_s: float) -> Behaviour:
        """A data session."""
        return data_session(
            self._session(Service.DATA), rating_groups, octets=mib * MIB, octets_per_s=mib_per_s * MIB
        )

    def call(self, called_party: str, *, talk_s: int) -> Behaviour:
        """A call."""
        return voice_session(self._session(Service.VOICE, called_party), _CALLS, talk_s=talk_s)

    def text(self, action: RequestedAction = RequestedAction.DIRECT_DEBITING) -> Behaviour:
        """A message, or a question about one."""
        return one_time_event(self._session(Service.SMS, _BERLIN), action, _ONE_MESSAGE, _SMS)

    def text_in_vain(self, *, noticed_after_s: float) -> Behaviour:
        """A message that is not delivered: what it was charged comes back, in the same session."""
        message = self._session(Service.SMS, _BERLIN)
        answer = yield from one_time_event(message, RequestedAction.DIRECT_DEBITING, _ONE_MESSAGE, _SMS)
        if answer is not None and answer.succeeded:
            yield Pause(noticed_after_s)
            yield from one_time_event(message, RequestedAction.REFUND_ACCOUNT, _ONE_MESSAGE, _SMS)


def plots(seed: int) -> list[Plot]:
    """One plot for each character, in the order of the cast."""
    acts = {"Anna": _anna, "Ben": _ben, "Cem": _cem, "Dora": _dora, "Emil": _emil}

    def plot(character: Character) -> Plot:
        act, rng = acts[character.name], Random(f"{seed}/{character.name}")
        return lambda next_session_id, leaving: act(_Stage(character, rng, next_session_id, leaving))

    return [plot(character) for character in CAST]


def _anna(stage: _Stage) -> Behaviour:
    while not stage.leaving.now:
        yield from stage.browse(_BROWSING, _VIDEO, mib=90, mib_per_s=0.4)
        yield Pause(10)


def _ben(stage: _Stage) -> Behaviour:
    yield Pause(5)
    yield from stage.text(RequestedAction.PRICE_ENQUIRY)
    while not stage.leaving.now:
        yield from stage.text(RequestedAction.CHECK_BALANCE)
        yield from stage.call(_LONDON, talk_s=stage.rng.randint(70, 130))
        yield Pause(8)
        yield from stage.text()
        yield Pause(8)
        yield from stage.call(_BERLIN, talk_s=stage.rng.randint(40, 90))
        yield Pause(8)


def _cem(stage: _Stage) -> Behaviour:
    yield Pause(10)
    while not stage.leaving.now:
        yield from stage.browse(_BROWSING, mib=200, mib_per_s=0.5)
        yield Pause(15)


def _dora(stage: _Stage) -> Behaviour:
    yield Pause(3)
    while not stage.leaving.now:
        yield from stage.browse(_BROWSING, _VIDEO, _MESSAGING, mib=300, mib_per_s=0.8)
        yield Pause(12)


def _emil(stage: _Stage) -> Behaviour:
    yield Pause(15)
    yield from stage.text_in_vain(noticed_after_s=20)
    while not stage.leaving.now:
        yield Pause(45)
        yield from stage.text()
