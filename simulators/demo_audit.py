"""The demo's last act: every micro-unit accounted for, from three books that do not know each other."""

import msgspec

from ocs.events import EventKind
from ocs.units import parse_micro
from simulators.demo_cast import Character
from simulators.gateway.tally import Tally
from simulators.operator import AccountView, ChargedEvent


class Statement(msgspec.Struct, frozen=True):
    """One account's money over the demo, in micro-units; problems are sentences, none when all agrees.

    ``allowance_octets`` is the included volume that is left.
    """

    name: str
    opening_micro: int
    top_ups_micro: int
    refunds_micro: int
    charges_micro: int
    balance_micro: int
    reserved: int
    events: int
    problems: tuple[str, ...]
    allowance_octets: int = 0


def audit(
    character: Character,
    events: list[ChargedEvent],
    account: AccountView,
    tally: Tally,
    *,
    topped_up_micro: int,
) -> Statement:
    """Hold the event stream against the balance, the operator's payments and the gateway's own books."""

    def total(kind: EventKind) -> int:
        return sum(event.amount_micro for event in events if event.kind is kind)

    opening, top_ups, refunds = total(EventKind.OPENING), total(EventKind.TOP_UP), total(EventKind.REFUND)
    charges = -total(EventKind.DEBIT)
    problems: list[str] = []
    if opening != parse_micro(character.balance):
        problems.append(f"opened with {opening}, paid in {character.balance}")
    if top_ups != topped_up_micro:
        problems.append(f"top-ups of {top_ups}, paid {topped_up_micro}")
    if opening + top_ups + refunds - charges != account.money_micro:
        problems.append(
            f"events lead to {opening + top_ups + refunds - charges}, the balance is {account.money_micro}"
        )
    if account.reserved:
        problems.append(f"{account.reserved} still reserved although all sessions are closed")
    if [event.sequence for event in events] != list(range(1, len(events) + 1)):
        problems.append("the event stream has a gap")
    problems += _compare_units(character, events, tally)
    return Statement(
        name=character.name,
        opening_micro=opening,
        top_ups_micro=top_ups,
        refunds_micro=refunds,
        charges_micro=charges,
        balance_micro=account.money_micro,
        reserved=account.reserved,
        events=len(events),
        problems=tuple(problems),
        allowance_octets=account.allowance_octets,
    )


def _compare_units(character: Character, events: list[ChargedEvent], tally: Tally) -> list[str]:
    """What the gateway reported as used in each session and rating group is what was charged, to the unit."""
    reported: dict[tuple[str, int], int] = {}
    for session in tally.sessions.values():
        if session.msisdn == character.subscriber.msisdn:
            for book in (session.used, session.refused):
                for group, units in book.items():
                    key = (session.session_id, group)
                    reported[key] = reported.get(key, 0) + units
    charged: dict[tuple[str, int], int] = dict.fromkeys(reported, 0)
    for event in events:
        key = (event.session_id, event.rating_group or 0)
        if event.kind is EventKind.DEBIT and key in charged:
            charged[key] += event.units
    return [
        f"{session_id} rating group {group}: {units} units reported, {charged[session_id, group]} charged"
        for (session_id, group), units in reported.items()
        if units != charged[session_id, group]
    ]
