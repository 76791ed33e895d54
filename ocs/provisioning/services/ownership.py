"""Who owns which part of an element's configuration, and what follows when a service wants something else. Pure.

A service model says what a service wants on each element, nothing more. What to send is the difference between that
and what the service owns, so modifying and deleting need no code of their own. Several services may own one path as
long as they want the same value (reference counts are the owners themselves); it goes with the last of them. What stood
there before the first of them came is remembered, and comes back when the last one goes.
"""

from collections.abc import Iterable, Mapping

import msgspec

from ocs.provisioning.configuration import (
    Configuration,
    ConfigurationDiff,
    canonical_path,
    entries_above,
    outermost,
    paths_above,
)


class OwnershipConflictError(Exception):
    """A service wants a value where others own another one.

    Attributes:
        element, path: where. wanted: the value. owners: who owns it, and which value they want.
    """

    def __init__(
        self, *, element: str, path: str, wanted: str | None, owners: Mapping[str, str | None]
    ) -> None:
        whose = ", ".join(f"{service} ({value})" for service, value in sorted(owners.items()))
        super().__init__(f"{element}: {path}: wanted {wanted}, owned by {whose}")
        self.element = element
        self.path = path
        self.wanted = wanted
        self.owners = dict(owners)


class ElementOwnership(msgspec.Struct, frozen=True):
    """What is known of an element's owned paths: at least of those that the service owns or will want.

    Attributes:
        owners: path -> service id -> the value it wants there. originals: what stood there before the first owner.
    """

    owners: Mapping[str, Mapping[str, str | None]] = {}
    originals: Mapping[str, str | None] = {}

    def owned_by(self, service_id: str) -> dict[str, str | None]:
        """Paths and values of one service."""
        return {path: owners[service_id] for path, owners in self.owners.items() if service_id in owners}


class OwnershipChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to record when a change of an element is decided.

    Attributes:
        owned: what the service owns from then on; all of it. first_owned: paths that nobody owned: what stood there
            when the change was prepared is their original. orphaned: paths that lose their last owner, and original.
    """

    owned: dict[str, str | None] = {}
    first_owned: tuple[str, ...] = ()
    orphaned: tuple[str, ...] = ()


class ElementChange(msgspec.Struct, frozen=True):
    """What one service's change means for one element.

    Attributes:
        forward: what to send; may be empty. expected: values that must stand there beforehand, since a service owns
            them: another value is drift. ownership: what to record.
    """

    forward: ConfigurationDiff
    expected: dict[str, str | None]
    ownership: OwnershipChange


def complete(configuration: Configuration) -> dict[str, str | None]:
    """A configuration in canonical paths, with the list entries that its paths lie in: they are owned too.

    Raises:
        PathError: a text is no path.
    """
    whole: dict[str, str | None] = {}
    for path, value in configuration.items():
        canonical = canonical_path(path)
        whole.update(dict.fromkeys(entries_above(canonical)))
        whole[canonical] = value
    return whole


def change_service(
    service_id: str,
    wanted: Mapping[str, Configuration],
    ownership: Mapping[str, ElementOwnership],
) -> dict[str, ElementChange]:
    """What a service that wants these configurations means for every element concerned.

    Args:
        service_id: whose change it is. wanted: element -> configuration; without entries the service is deleted.
        ownership: what is owned of each element, of those that the service leaves too.

    Returns:
        Element -> change, for every element on which the service owns or will own something.

    Raises:
        OwnershipConflictError: it wants a value where others own another one.
        PathError: it wants something that is no path.
    """
    changes: dict[str, ElementChange] = {}
    for element in sorted({*wanted, *ownership}):
        known = ownership.get(element, ElementOwnership())
        change = _change_element(service_id, element, complete(wanted.get(element, {})), known)
        if change is not None:
            changes[element] = change
    return changes


def _change_element(
    service_id: str, element: str, wanted: dict[str, str | None], known: ElementOwnership
) -> ElementChange | None:
    mine = known.owned_by(service_id)
    if not (mine or wanted):
        return None
    to_set: dict[str, str | None] = {}
    first_owned: list[str] = []
    for path, value in wanted.items():
        others = _others(known, path, service_id)
        if any(theirs != value for theirs in others.values()):
            raise OwnershipConflictError(element=element, path=path, wanted=value, owners=others)
        if path in mine:
            if mine[path] != value:
                to_set[path] = value
        elif not others:
            first_owned.append(path)
            to_set[path] = value
    given_up = [path for path in mine if path not in wanted and not _others(known, path, service_id)]
    restored = {path: known.originals[path] for path in given_up if path in known.originals}
    forward = ConfigurationDiff(
        {**to_set, **_unless_within_removed(restored, given_up, known)},
        outermost(path for path in given_up if path not in known.originals),
    )
    touched = set(forward.paths)
    return ElementChange(
        forward=forward,
        expected={path: value for path, value in mine.items() if path in touched},
        ownership=OwnershipChange(wanted, tuple(sorted(first_owned)), tuple(sorted(given_up))),
    )


def _others(known: ElementOwnership, path: str, service_id: str) -> dict[str, str | None]:
    owners = known.owners.get(path)
    if owners is None:
        return {}
    return {service: value for service, value in owners.items() if service != service_id}


def _unless_within_removed(
    restored: dict[str, str | None], given_up: Iterable[str], known: ElementOwnership
) -> dict[str, str | None]:
    """Originals, less those in an entry that goes: the entry came with a service, so nothing stood in it before."""
    removed = {path for path in given_up if path not in known.originals}
    return {path: value for path, value in restored.items() if removed.isdisjoint(paths_above(path))}
