"""What notifications with one content say, whoever sends them: all of it but the name of the element. Pure.

In a storm the same varbinds come over and over: from a port that flaps, from every element that has a port of that
number. What a rule makes of them is read once, and only the element's name is put in after that.
"""

from typing import Final, NamedTuple

from ocs.faults.alarm import AlarmKey, AlarmSignal, EventType, Severity
from ocs.faults.rules.templates import alarm_text, key_text

# Stands for the element's name while a rule's texts are made. A content that holds it is read every time.
ELEMENT_MARK: Final = "\0\0element\0"


class FamiliarSignal(NamedTuple):
    """One signal of a content.

    Attributes:
        resource, qualifier, text, repair: the parts between which the element's name stands.
    """

    resource: list[str]
    alarm: str
    qualifier: list[str]
    severity: Severity
    event_type: EventType
    probable_cause: int
    text: list[str]
    will_clear: bool
    details: tuple[tuple[str, str], ...]
    repair: list[str]

    def signal(self, source: str, element: str, at_ms: int) -> AlarmSignal:
        """What the content says, sent by this source at this time."""
        named = element.join
        return AlarmSignal(
            AlarmKey(key_text(named(self.resource)), self.alarm, key_text(named(self.qualifier))),
            self.severity,
            at_ms,
            self.event_type,
            self.probable_cause,
            alarm_text(named(self.text)),
            source,
            self.will_clear,
            self.details,
            named(self.repair),
        )
