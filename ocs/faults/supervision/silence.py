"""Which elements have fallen silent: those that promise a sign of life so often and gave none for twice as long. Pure.

Times are of a clock that is never set, and what is kept over a restart is how long each has been silent: an outage of
ours is no silence of theirs.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from ocs.faults.alarm import AlarmKey, AlarmSignal, EventType, Severity
from ocs.limits import HEARTBEATS_MISSED

SILENT_ELEMENT: Final = "silent-element"
_SUBSYSTEM_FAILURE: Final = 505  # IANAItuProbableCause: communicationsSubsystemFailure

_SILENCES: Final = msgspec.msgpack.Decoder(dict[str, int])


class Silence:
    """How long each supervised element has been silent.

    Args:
        heartbeats_ms: how often each sends something at least.
        kept: what :meth:`keep` gave out in the life before; None: everybody is heard of now.
        silent: elements whose alarm stands.
        steady_ms: now.
    """

    def __init__(
        self, heartbeats_ms: Mapping[str, int], kept: bytes | None, silent: Iterable[str], *, steady_ms: int
    ) -> None:
        before: Mapping[str, int] = _decoded(kept)
        self._heartbeats_ms = heartbeats_ms
        self._heard_ms = {element: steady_ms - max(0, before.get(element, 0)) for element in heartbeats_ms}
        # Silent ones, and whether they answer when they are asked.
        self._silent = dict.fromkeys(silent, False)
        self._looked_ms = steady_ms

    @property
    def silent(self) -> frozenset[str]:
        """Elements whose alarm stands."""
        return frozenset(self._silent)

    def pause(self, steady_ms: int) -> None:
        """Time passed in which we heard nobody, for reasons of our own."""
        lost_ms = max(0, steady_ms - self._looked_ms)
        self._looked_ms = steady_ms
        for element, heard_ms in self._heard_ms.items():
            self._heard_ms[element] = heard_ms + lost_ms

    def hear(self, elements: Iterable[str], steady_ms: int, now_ms: int) -> list[AlarmSignal]:
        """Elements sent something: those of them that were silent are so no longer."""
        signals: list[AlarmSignal] = []
        for element in elements:
            if element in self._heard_ms:
                self._heard_ms[element] = steady_ms
            if self._silent.pop(element, None) is not None:
                signals.append(_signal(element, Severity.CLEARED, "It sends notifications again", now_ms))
        return signals

    def look(self, steady_ms: int, now_ms: int) -> list[AlarmSignal]:
        """Raise the alarms of elements that have become silent; clear those of whom nobody expects anything."""
        self._looked_ms = steady_ms
        signals: list[AlarmSignal] = []
        for element in [one for one in self._silent if one not in self._heartbeats_ms]:
            del self._silent[element]
            text = "It is no longer expected to send anything"
            signals.append(_signal(element, Severity.CLEARED, text, now_ms))
        for element, heard_ms in self._heard_ms.items():
            limit_ms = self._heartbeats_ms[element] * HEARTBEATS_MISSED
            if element not in self._silent and steady_ms - heard_ms > limit_ms:
                self._silent[element] = False
                signals.append(_signal(element, Severity.MAJOR, self._text(element), now_ms))
        return signals

    def note_answer(self, element: str, *, answers: bool, now_ms: int) -> list[AlarmSignal]:
        """An element was asked: one that answers lives, and only its notifications do not reach us."""
        if self._silent.get(element, answers) is answers:
            return []
        self._silent[element] = answers
        if answers:
            text = f"{self._text(element)}; it answers when it is asked"
            return [_signal(element, Severity.WARNING, text, now_ms)]
        return [_signal(element, Severity.MAJOR, self._text(element), now_ms)]

    def keep(self, steady_ms: int) -> bytes:
        """How long everybody has been silent, for the next life."""
        return msgspec.msgpack.encode(
            {element: steady_ms - heard_ms for element, heard_ms in self._heard_ms.items()}
        )

    def _text(self, element: str) -> str:
        interval_s = self._heartbeats_ms[element] / 1000
        return f"It sent nothing in twice the {interval_s:g} s in which it should have"


def _decoded(kept: bytes | None) -> dict[str, int]:
    try:
        return {} if kept is None else _SILENCES.decode(kept)
    except msgspec.MsgspecError:
        return {}  # of another version: nobody has been silent


def _signal(element: str, severity: Severity, text: str, now_ms: int) -> AlarmSignal:
    return AlarmSignal(
        key=AlarmKey(element, SILENT_ELEMENT),
        severity=severity,
        at_ms=now_ms,
        event_type=EventType.COMMUNICATIONS_ALARM,
        probable_cause=_SUBSYSTEM_FAILURE,
        text=text,
        source=element,
        repair="Look whether the element runs, is reached, and sends its notifications to us.",
    )
