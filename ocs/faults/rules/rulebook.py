"""What notifications say about alarms, by rules. Pure: what was looked up is remembered, bounded, and nothing else."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ocs.faults.alarm import AlarmSignal
from ocs.faults.mibs import MibNames
from ocs.faults.notification import Notification
from ocs.faults.rules.catch_all import CatchAll
from ocs.faults.rules.compiler import CompiledRule
from ocs.faults.rules.explanation import Explanation, explain
from ocs.faults.rules.familiar import ELEMENT_MARK, FamiliarSignal
from ocs.limits import SNMP_CONTENTS_REMEMBERED, TRAP_KINDS_REMEMBERED

_NO_RULES: Final[tuple[CompiledRule, ...]] = ()


class RuleBook:
    """All rules, tried in a fixed order of specificity.

    An exact trap comes before a prefix and a longer prefix before a shorter one; on the same trap the rule with more
    conditions comes first. Whoever makes a book has checked that no two rules remain that could both be first.

    Args:
        element_of: the name of an element by its address; None for strangers, who are called by it.
    """

    def __init__(
        self,
        rules: Iterable[CompiledRule],
        names: MibNames,
        *,
        element_of: Callable[[str], str | None] | None = None,
    ) -> None:
        self._names = names
        self._element_of = element_of
        self._catch_all = CatchAll(names)
        self._exact: dict[str, tuple[CompiledRule, ...]] = {}
        self._prefixes: dict[str, tuple[CompiledRule, ...]] = {}
        self.rules: Sequence[CompiledRule] = tuple(
            sorted(rules, key=lambda rule: (-len(rule.conditions), rule.rule_id))
        )
        for rule in self.rules:
            index = self._prefixes if rule.is_prefix else self._exact
            index[rule.trap_oid] = (*index.get(rule.trap_oid, ()), rule)
        for oid in tuple(self._exact):
            self._exact.setdefault(_other_form(oid), self._exact[oid])
        self._candidates: dict[str, tuple[CompiledRule, ...]] = {}
        # Of contents that came again: what they say; empty where it is to be read each time.
        self._familiar: dict[bytes, tuple[FamiliarSignal, ...]] = {}

    @property
    def names(self) -> MibNames:
        """By which it reads object identifiers."""
        return self._names

    def signals(
        self, notification: Notification, at_ms: int, content: bytes = b""
    ) -> tuple[AlarmSignal, ...]:
        """What a notification says; never nothing.

        Args:
            at_ms: when it happened, in our time.
            content: what only notifications of the same trap with the same varbinds have; empty: not known.
        """
        if content:
            familiar = self._familiar.get(content)
            if familiar is None:
                familiar = self._learn(notification, content)
            if familiar:
                source = notification.source
                element = self._element(source)
                if len(familiar) == 1:
                    return (familiar[0].signal(source, element, at_ms),)
                return tuple([one.signal(source, element, at_ms) for one in familiar])
        rule = self.rule_for(notification)
        if rule is None:
            return (self.unknown(notification, at_ms),)
        element = self._element(notification.source)
        signals = rule.signals
        if len(signals) == 1:
            return (signals[0].signal(notification, element, at_ms),)
        return tuple([signal.signal(notification, element, at_ms) for signal in signals])

    def _learn(self, notification: Notification, content: bytes) -> tuple[FamiliarSignal, ...]:
        """What a content says, for the next time; nothing where no rule knows it, or not it alone decides."""
        rule = self.rule_for(notification)
        found = () if rule is None else tuple(signal.familiar(notification) for signal in rule.signals)
        familiar = tuple(one for one in found if one is not None)
        if len(familiar) < len(found) or ELEMENT_MARK.encode() in content:
            familiar = ()
        if len(self._familiar) >= SNMP_CONTENTS_REMEMBERED:
            self._familiar.clear()
        self._familiar[content] = familiar
        return familiar

    def unknown(self, notification: Notification, at_ms: int) -> AlarmSignal:
        """What is raised for a notification that no rule knows, or whose rule failed."""
        return self._catch_all.signal(notification, self._element(notification.source), at_ms)

    def _element(self, address: str) -> str:
        return address if self._element_of is None else self._element_of(address) or address

    def may_clear(self, trap_oid: str) -> bool:
        """Whether notifications of a kind are there to say that something is over.

        By the rule that is tried last, the one with the fewest conditions: linkDown is there to raise, though it clears
        where the interface was switched off.
        """
        rules = self.candidates(trap_oid)
        return bool(rules) and any(
            not isinstance(signal.source.severity, str) or signal.source.severity == "cleared"
            for signal in rules[-1].signals
        )

    def alarm_types(self, trap_oid: str) -> frozenset[str]:
        """The types of all alarms that notifications of a kind may speak of."""
        return frozenset(signal.source.alarm for rule in self.candidates(trap_oid) for signal in rule.signals)

    def wants_resync(self, notification: Notification) -> bool:
        """Whether the device says that it lost its state: its alarms are to be looked up again."""
        for one in self.candidates(notification.trap_oid):
            if one.resynchronise:
                break
        else:  # nearly always
            return False
        rule = self.rule_for(notification)
        return rule is not None and rule.resynchronise

    def explain(self, notification: Notification) -> Explanation:
        """What becomes of a notification, and why, in words."""
        return explain(self, notification)

    def rule_for(self, notification: Notification) -> CompiledRule | None:
        """The first rule that a notification meets; None when no rule knows it."""
        for rule in self.candidates(notification.trap_oid):
            if rule.holds(notification):
                return rule
        return None

    def candidates(self, trap_oid: str) -> tuple[CompiledRule, ...]:
        """All rules that may be about a trap, in the order in which they are tried."""
        found = self._candidates.get(trap_oid)
        if found is None:
            if len(self._candidates) >= TRAP_KINDS_REMEMBERED:
                self._candidates.clear()
            found = self._candidates[trap_oid] = self._find(trap_oid)
        return found

    def _find(self, trap_oid: str) -> tuple[CompiledRule, ...]:
        found = list(self._exact.get(trap_oid, _NO_RULES))
        above = trap_oid
        while above := above.rpartition(".")[0]:
            found.extend(self._prefixes.get(above, _NO_RULES))
        return tuple(found)


def _other_form(trap_oid: str) -> str:
    """The same trap as another version sends it: ``enterprise.0.number`` and ``enterprise.number``.

    RFC 3584 section 3.1 puts a zero between the two; vendors who defined v2 notifications without it send both.
    """
    enterprise, _, number = trap_oid.rpartition(".")
    return f"{enterprise[:-2]}.{number}" if enterprise.endswith(".0") else f"{enterprise}.0.{number}"
