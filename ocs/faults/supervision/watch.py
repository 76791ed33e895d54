"""The task that looks for silent elements while the alarm list is ours."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import trio

from ocs.clock import Clock
from ocs.faults.alarm import AlarmSignal
from ocs.faults.supervision.silence import Silence
from ocs.limits import SILENCES_KEPT_INTERVAL_S, SUPERVISION_INTERVAL_S
from ocs.log import get_logger
from ocs.metrics import Gauge

log = get_logger(__name__)

# Beside what is known of single sources; no address is called so.
SILENCES: Final = "~silences"

_SILENT: Final = Gauge(
    "ocs_silent_elements", "Elements that should have sent something and have not (network process)."
)


class Heard(Protocol):
    """What the pump of notifications tells and takes."""

    @property
    def is_stuck(self) -> bool:
        """Whether nothing is taken because the store does not answer."""
        ...

    def take_heard(self) -> Iterable[str]:
        """The sources that were heard of since the last time."""
        ...

    def put_signals(self, signals: Sequence[AlarmSignal]) -> None:
        """Take signals."""
        ...

    def keep(self, name: str, octets: bytes) -> None:
        """Have something in the store with the next batch."""
        ...


class SilenceWatch:
    """Raises and clears ``silent-element``.

    Args:
        heartbeats_ms: how often each element sends something at least.
        kept: what was kept under :data:`SILENCES`. silent: elements whose alarm stands.
        element_of: the element of a source. on_silent: told of elements that have become silent, to ask them.
    """

    def __init__(
        self,
        heartbeats_ms: Mapping[str, int],
        kept: bytes | None,
        silent: Iterable[str],
        *,
        pump: Heard,
        clock: Clock,
        element_of: Callable[[str], str],
        on_silent: Callable[[str], None],
    ) -> None:
        self._silence = Silence(heartbeats_ms, kept, silent, steady_ms=clock.steady_ms())
        _SILENT.set(len(self._silence.silent))
        self._is_needed = bool(heartbeats_ms)
        self._pump = pump
        self._clock = clock
        self._element_of = element_of
        self._on_silent = on_silent

    async def run(self) -> None:
        """Look until cancelled."""
        keep_at = trio.current_time() + SILENCES_KEPT_INTERVAL_S
        looked_at = trio.current_time()
        while True:
            self.look(is_late=trio.current_time() - looked_at > 3 * SUPERVISION_INTERVAL_S)
            looked_at = trio.current_time()
            if self._is_needed and looked_at >= keep_at:
                keep_at = looked_at + SILENCES_KEPT_INTERVAL_S
                self._pump.keep(SILENCES, self._silence.keep(self._clock.steady_ms()))
            await trio.sleep(SUPERVISION_INTERVAL_S)

    def look(self, *, is_late: bool = False) -> None:
        """Take what was heard, and say who is silent.

        Args:
            is_late: we were not running; nobody could be heard.
        """
        steady_ms, now_ms = self._clock.steady_ms(), self._clock.now_ms()
        heard = {self._element_of(source) for source in self._pump.take_heard()}
        if is_late or self._pump.is_stuck:
            self._silence.pause(steady_ms)
        signals = self._silence.hear(heard, steady_ms, now_ms)
        before = self._silence.silent
        signals += self._silence.look(steady_ms, now_ms)
        if not signals:
            return
        self._pump.put_signals(signals)
        _SILENT.set(len(self._silence.silent))
        for element in self._silence.silent - before:
            log.warning("element_silent", element=element)
            self._on_silent(element)

    def note_answer(self, element: str, *, answers: bool) -> None:
        """An element was asked."""
        now_ms = self._clock.now_ms()
        signals = self._silence.note_answer(element, answers=answers, now_ms=now_ms)
        if signals:
            self._pump.put_signals(signals)
