"""Plays a scenario: opens its accounts, takes its steps one by one, says in words where the server did otherwise."""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, assert_never

from diameter.message import Message

from ocs.events import EventKind
from ocs.subscribers.operations import NewAccount, NewSubscriber
from ocs.subscribers.service import SubscriberService
from ocs.units import Money, UnitType
from tests.endtoend.lab import System
from tests.scenarios.avps import Found, ScenarioError, number_of, read, tell
from tests.scenarios.expectations import differences
from tests.scenarios.gateway import HOST, REALM, ScenarioGateway, credit_control_request
from tests.scenarios.scenario import (
    CONTEXTS,
    AccountTable,
    Books,
    Command,
    Hear,
    Purse,
    Scenario,
    Send,
    Step,
    TopUp,
)

_DIAMETER_CREDIT_CONTROL: Final = 4
_numbers = itertools.count(1)


class ScenarioFailedError(AssertionError):
    """The server did otherwise than the scenario says."""


class _Actor:
    """An account of the scenario, with the names that the network has for it."""

    def __init__(self, scenario: str, name: str, currency: str) -> None:
        number = next(_numbers)
        self.account = self.subscriber = f"{scenario}-{name}"
        self.currency = currency
        self.msisdn = f"49151{number:08d}"
        self.imsi = f"26201{number:010d}"


class _Conversation:
    """One session of the scenario: its requests as they were numbered."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.number = -1
        self.last: Message | None = None
        self.end_to_end = 0


class Play:
    """One performance of a scenario.

    Args:
        service: opens and tops up accounts, and tells the server's workers.
    """

    def __init__(
        self, scenario: Scenario, system: System, gateway: ScenarioGateway, service: SubscriberService
    ) -> None:
        self._scenario = scenario
        self._system = system
        self._gateway = gateway
        self._service = service
        self._conversations: dict[str, _Conversation] = {}
        self._actors: dict[str, _Actor] = {}
        self._references = itertools.count(1)

    def perform(self) -> None:
        """Take all steps.

        Raises:
            ScenarioFailedError: with the step, what is not as expected, and what came.
            ScenarioError: the scenario asks for what there is not.
        """
        self._gateway.forget()
        for name, table in self._scenario.accounts.items():
            self._open(name, table)
        for number, step in enumerate(self._scenario.steps, 1):
            where = f"{self._scenario.name}, step {number}" + (f" ({step.says})" if step.says else "")
            self._take(step, where)
        for actor in self._actors.values():
            self._system.debits(actor.account)  # which checks the books' sum and order
        unheard = [told for told in self._gateway.forget() if self._is_ours(told)]
        if unheard:
            raise ScenarioFailedError(
                f"{self._scenario.name}: the server asked, and no step heard it: {unheard}"
            )

    def _take(self, step: Step, where: str) -> None:
        match step:
            case Send():
                self._send(step, where)
            case Hear():
                self._hear(step, where)
            case TopUp():
                actor = self._actor(step.account)
                amount = Money(_micro(step.top_up), actor.currency)
                self._service.top_up(actor.account, amount, reference=f"step-{next(self._references)}")
            case Command():
                words = [self._filled(word, step.session) for word in step.command]
                self._system.command(*words)
            case Books():
                told = [line for name, purse in step.books.items() for line in self._audit(name, purse)]
                if told:
                    raise ScenarioFailedError("\n".join([f"{where}:", *told]))
            case _:
                assert_never(step)

    # --- Messages ---------------------------------------------------------------------------------------

    def _send(self, step: Send, where: str) -> None:
        conversation = self._conversation(step)
        if step.send == "COPY":
            if conversation.last is None:
                raise ScenarioError(f"{where}: there is nothing to copy")
            found, _ = self._gateway.ask(conversation.last, end_to_end=conversation.end_to_end)
        else:
            conversation.number += 1
            conversation.last = credit_control_request(self._members(step, conversation))
            found, conversation.end_to_end = self._gateway.ask(conversation.last)
        # Whatever else a scenario expects, an answer belongs to its request.
        own = {
            "Session-Id": conversation.session_id,
            "CC-Request-Number": read(conversation.last.avps)["CC-Request-Number"][0],
            "Origin-Host": "ocs.lab.example",
            "Origin-Realm": "lab.example",
            "Auth-Application-Id": _DIAMETER_CREDIT_CONTROL,
        }
        expected = {"Result-Code": "DIAMETER_SUCCESS", **own, **self._filled(step.expect)}
        self._compare(where, expected, found)

    def _members(self, step: Send, conversation: _Conversation) -> dict[str, Any]:
        actor = self._actor(step.account)
        usual: dict[str, Any] = {
            "Session-Id": conversation.session_id,
            "Origin-Host": HOST,
            "Origin-Realm": REALM,
            "Destination-Realm": "lab.example",
            "Auth-Application-Id": _DIAMETER_CREDIT_CONTROL,
            "Service-Context-Id": CONTEXTS[self._scenario.service],
            "CC-Request-Type": step.send,
            "CC-Request-Number": conversation.number,
            "Event-Timestamp": dt.datetime.now(dt.UTC),
            "Subscription-Id": {
                "Subscription-Id-Type": "END_USER_E164",
                "Subscription-Id-Data": actor.msisdn,
            },
        }
        if step.send == "TERMINATION_REQUEST":
            usual["Termination-Cause"] = "DIAMETER_LOGOUT"
        members = {**usual, **self._filled(self._scenario.common), **self._filled(step.avps)}
        return {name: value for name, value in members.items() if name not in step.without}

    def _hear(self, step: Hear, where: str) -> None:
        session_id = self._conversations[step.session].session_id
        demand = self._gateway.hear(step.hear, session_id)
        self._gateway.answer(demand, number_of("Result-Code", f"DIAMETER_{step.answer}", where))
        own = {
            "Destination-Host": HOST,
            "Destination-Realm": REALM,
            "Auth-Application-Id": _DIAMETER_CREDIT_CONTROL,
            "Origin-Host": "ocs.lab.example",
        }
        self._compare(where, {**own, **self._filled(step.expect)}, self._gateway.found(demand))

    def _compare(self, where: str, expected: Mapping[str, Any], found: Found) -> None:
        told = differences(expected, found)
        if told:
            raise ScenarioFailedError("\n".join([f"{where}:", *told, "It was:", *tell(found)]))

    def _conversation(self, step: Send) -> _Conversation:
        name = step.session
        if step.send == "EVENT_REQUEST" and not name:
            name = f"event {len(self._conversations)}"
        if name not in self._conversations:
            session_id = f"{HOST};{next(_numbers)};{self._scenario.name}"
            self._conversations[name] = _Conversation(session_id)
        return self._conversations[name]

    def _is_ours(self, told: str) -> bool:
        return any(told.endswith(f" {each.session_id}") for each in self._conversations.values())

    def _open(self, name: str, table: AccountTable) -> None:
        actor = self._actors[name] = _Actor(self._scenario.name, name, "EUR")
        identities = (f"e164:{actor.msisdn}", f"imsi:{actor.imsi}")
        if table.of:
            actor.account = self._actors[table.of].account
            new = NewSubscriber(actor.account, actor.subscriber, identities, table.offers)
            self._service.add_subscriber(new)
            return
        opening = Money(_micro(table.balance), actor.currency)
        limit = _micro(table.credit_limit)
        self._service.open_account(
            NewAccount(actor.account, actor.subscriber, identities, table.offers, opening, limit)
        )

    # --- Accounts ---------------------------------------------------------------------------------------

    def _audit(self, name: str, purse: Purse) -> list[str]:
        account = self._actors[name].account
        moved = [
            event.amount_micro
            for event in self._system.debits(account)
            if event.kind in {EventKind.DEBIT, EventKind.REFUND}
        ]
        left: Counter[str] = Counter()
        for bucket in self._system.account(account).buckets:
            if bucket.unit_type != UnitType.MONEY:
                left[bucket.allowance] += bucket.value
        told: list[str] = []
        for what, wanted, micro in (
            ("balance", purse.balance, self._system.balance(account)),
            ("reserved", purse.reserved, self._system.reserved(account)),
        ):
            if wanted is not None and _micro(wanted) != micro:
                told.append(f"{name}'s {what} is {_shown(micro)}, expected {wanted}")
        if purse.charges is not None and [_micro(charge) for charge in purse.charges] != moved:
            shown = ", ".join(map(_shown, moved)) or "none"
            told.append(f"{name}'s charges are {shown}, expected {', '.join(purse.charges) or 'none'}")
        notices = tuple(
            f"{event.notice.kind} {event.notice.threshold}"
            for event in self._system.debits(account)
            if event.notice is not None
        )
        if purse.notices is not None and purse.notices != notices:
            told.append(f"{name} was told {notices}, expected {purse.notices}")
        for allowance, wanted in purse.allowances.items():
            if left.get(allowance) != wanted:
                told.append(f"{name}'s {allowance} holds {left.get(allowance)}, expected {wanted}")
        return told

    def _actor(self, name: str) -> _Actor:
        return self._actors[name] if name else next(iter(self._actors.values()))

    def _filled(self, value: Any, session: str = "") -> Any:
        """The value with the numbers of accounts put where its texts name them."""
        if isinstance(value, dict):
            return {name: self._filled(one, session) for name, one in value.items()}
        if isinstance(value, list):
            return [self._filled(one, session) for one in value]
        if isinstance(value, str) and "{" in value:
            begun = self._conversations.get(session)
            try:
                return value.format(**self._actors, session=begun and begun.session_id)
            except (AttributeError, KeyError, ValueError) as error:
                raise ScenarioError(f"{self._scenario.name}: {value}: {error}") from None
        return value


def _micro(amount: str) -> int:
    micro = Decimal(amount) * 1_000_000
    if micro != int(micro):
        raise ScenarioError(f"{amount} has parts of a millionth")
    return int(micro)


def _shown(micro: int) -> str:
    return f"{Decimal(micro) / 1_000_000:f}"
