"""Which rule a notification meets and what it makes of it, step by step, in words."""

from typing import TYPE_CHECKING

import msgspec

from ocs.faults.alarm import AlarmSignal
from ocs.faults.notification import Notification
from ocs.faults.rules.compiler import CompiledRule
from ocs.faults.rules.probable_causes import PROBABLE_CAUSES

if TYPE_CHECKING:
    from ocs.faults.rules.rulebook import RuleBook


class Explanation(msgspec.Struct, frozen=True):
    """What becomes of one notification.

    Attributes:
        trap: its name.
        varbinds: names and values of all that came with it.
        rule: the id of the rule that applies; empty when none does.
        steps: what was tried, one sentence each.
        signals: what the book is told.
    """

    trap: str
    varbinds: tuple[tuple[str, str], ...]
    rule: str
    steps: tuple[str, ...]
    signals: tuple[AlarmSignal, ...]
    wants_resync: bool


def explain(book: "RuleBook", notification: Notification) -> Explanation:
    """Ask a book, and tell how it came to its answer."""
    names = book.names
    steps: list[str] = []
    found: CompiledRule | None = None
    for rule in book.candidates(notification.trap_oid):
        is_met, sentence = _tried(rule, notification)
        steps.append(sentence)
        if is_met:
            found = rule
            break
    if found is None:
        steps.append("no rule applies: it becomes an alarm of its own for an operator to look at")
    signals = book.signals(notification, notification.received_ms)
    steps.extend(_said(signal) for signal in signals)
    if found is not None and found.resynchronise:
        steps.append("the device lost its state: its alarms are looked up again")
    return Explanation(
        trap=names.name_of(notification.trap_oid),
        varbinds=tuple(
            (names.name_of(one.name), names.value_text(one.name, one.syntax, one.value))
            for one in notification.varbinds
        ),
        rule="" if found is None else found.rule_id,
        steps=tuple(steps),
        signals=signals,
        wants_resync=found is not None and found.resynchronise,
    )


def _tried(rule: CompiledRule, notification: Notification) -> tuple[bool, str]:
    about = "everything below " if rule.is_prefix else ""
    opening = f"rule {rule.rule_id} is about {about}{rule.trap_oid}"
    for condition in rule.conditions:
        if not condition.holds(notification.varbinds):
            varbind = condition.reference.find(notification.varbinds)
            was = "it was not sent" if varbind is None else f"it is {condition.reference.text(varbind)}"
            return (
                False,
                f"{opening}, and wants that {condition.describe()}: {was}, so the next rule is tried",
            )
    wanted = " and ".join(condition.describe() for condition in rule.conditions)
    return True, f"{opening}{f', and wants that {wanted}' if wanted else ''}: it applies"


def _said(signal: AlarmSignal) -> str:
    key = signal.key
    alarm = f"{key.alarm_type} {key.qualifier}".strip()
    if signal.severity.name == "CLEARED":
        return f"{alarm} of {key.resource} is over: {signal.text}"
    cause = PROBABLE_CAUSES[signal.probable_cause]
    end = "" if signal.will_clear else "; the device will not say when it is over"
    return f"{alarm} of {key.resource} is {signal.severity.name.lower()} ({cause}): {signal.text}{end}"
