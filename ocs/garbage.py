"""How a process that lives long looks for unused objects that hold each other: seldom."""

import gc
from typing import Final

# Young objects die young on the hot path and hold no cycles; a full collection walks the whole cache, or the whole
# alarm list, for nothing.
_THRESHOLDS: Final = (50_000, 50, 100)


def collect_seldom() -> None:
    """Let what is there now live for ever unlooked-at, and look at what comes rarely. Once, when the process is set up.

    Who lets go of much at once that may hold each other collects it himself.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
