"""Whether the alarm list is exactly what a story must have left. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from simulators.traps.stories import NO_ROOT, Expected


class Seen(msgspec.Struct, frozen=True):
    """An alarm as the list shows it.

    Attributes:
        root_id: id of the alarm that it stands under; empty when it stands for itself.
    """

    alarm_id: str
    resource: str
    alarm_type: str
    is_cleared: bool
    root_id: str = ""
    occurrences: int = 1

    @property
    def key(self) -> tuple[str, str]:
        """What it is called in the list."""
        return self.resource, self.alarm_type


def differences(
    expected: Sequence[Expected],
    seen: Iterable[Seen],
    elements: frozenset[str],
    *,
    before: Iterable[Seen] = (),
) -> list[str]:
    """What is wrong, one line each; empty when the list is exactly as expected.

    Args:
        elements: whose alarms are looked at; those of others are not ours.
        before: the list as it was before the story: what was over then, and has not occurred since, is of no interest.
    """
    held = {one.alarm_id: one for one in before}
    ours = {one.key: one for one in seen if one.resource.partition("/")[0] in elements}
    wanted = {one.key: one for one in expected}
    found = [
        f"{_called(one.key)} is in the list, and nobody expects it"
        for key, one in ours.items()
        if key not in wanted and _is_new(one, held.get(one.alarm_id))
    ]
    for key, one in wanted.items():
        shown = ours.get(key)
        if shown is None:
            if one.must_be:
                found.append(f"{_called(key)} is missing")
        elif one.must_be:
            found += _faults(one, shown, held.get(shown.alarm_id), ours)
    return found


def _is_new(one: Seen, before: Seen | None) -> bool:
    return before is None or not one.is_cleared or one.occurrences != before.occurrences


def _faults(one: Expected, shown: Seen, before: Seen | None, ours: dict[tuple[str, str], Seen]) -> list[str]:
    """What is wrong with one alarm."""
    found: list[str] = []
    if shown.is_cleared is not one.is_cleared:
        found.append(f"{_called(one.key)} is {'cleared' if shown.is_cleared else 'not cleared'}")
    occurred = shown.occurrences - (before.occurrences if before else 0)
    if one.occurrences is not None and occurred != one.occurrences:
        found.append(f"{_called(one.key)} occurred {occurred} times, not {one.occurrences}")
    if one.root is not None:
        root = ours.get(one.root)
        root_id = "" if one.root == NO_ROOT or root is None else root.alarm_id
        if shown.root_id != root_id:
            names = {seen.alarm_id: _called(seen.key) for seen in ours.values()}
            stands = names.get(shown.root_id, shown.root_id) if shown.root_id else "nothing"
            found.append(f"{_called(one.key)} stands under {stands}")
    return found


def _called(key: tuple[str, str]) -> str:
    return f"{key[1]} of {key[0]}"
