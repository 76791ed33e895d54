"""Names that somebody may have meant who typed another one."""

import difflib
from collections.abc import Iterable
from typing import Final

from ocs.event_listing import shown

_NAMES_MAX: Final = 3
_LIKENESS: Final = 0.6


def meant_instead(typed: str, names: Iterable[str]) -> str:
    """``, did you mean core-1 or core-2?``; empty when no name is like what was typed."""
    like = difflib.get_close_matches(typed, names, _NAMES_MAX, _LIKENESS)
    return f", did you mean {' or '.join(map(shown, like))}?" if like else ""
