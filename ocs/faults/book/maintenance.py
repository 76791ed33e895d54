"""Planned windows: while one is open, alarms of its resources are kept as ever and told to nobody."""

from collections.abc import Iterable

import msgspec

from ocs.limits import MAINTENANCE_WINDOWS_MAX


class MaintenanceWindow(msgspec.Struct, frozen=True, array_like=True):
    """A window in the store's hash of windows.

    Attributes:
        resource: this one and everything below it: ``router7`` covers ``router7/if/3``, not ``router70``.
        from_ms: our clock, included. until_ms: not included.
    """

    window_id: str
    resource: str
    from_ms: int
    until_ms: int
    operator: str = ""
    text: str = ""


class Maintenance:
    """All windows that are not over."""

    def __init__(self) -> None:
        self._by_resource: dict[str, list[MaintenanceWindow]] = {}
        self._changes_ms: list[int] = []

    def replace(self, windows: Iterable[MaintenanceWindow]) -> None:
        """Know these windows and no others.

        Raises:
            ValueError: too many, or one that ends before it begins.
        """
        known = list(windows)
        if len(known) > MAINTENANCE_WINDOWS_MAX:
            raise ValueError(f"expected at most {MAINTENANCE_WINDOWS_MAX} maintenance windows")
        by_resource: dict[str, list[MaintenanceWindow]] = {}
        for window in known:
            if window.until_ms <= window.from_ms:
                raise ValueError(
                    f"maintenance window {window.window_id}: expected an end after its beginning"
                )
            by_resource.setdefault(window.resource, []).append(window)
        self._by_resource = by_resource
        self._changes_ms = sorted({window.until_ms for window in known})

    def covers(self, resources: Iterable[str], now_ms: int) -> bool:
        """Whether a window is open for any of some resources or for what they are part of."""
        if not self._by_resource:
            return False
        return any(
            window.from_ms <= now_ms < window.until_ms
            for resource in resources
            for part in parts(resource)
            for window in self._by_resource.get(part, ())
        )

    def due_ms(self) -> int | None:
        """When the next window ends."""
        return self._changes_ms[0] if self._changes_ms else None

    def end(self, now_ms: int) -> bool:
        """Pass the ends that are due; True when there were any."""
        passed = [end_ms for end_ms in self._changes_ms if end_ms <= now_ms]
        self._changes_ms = self._changes_ms[len(passed) :]
        return bool(passed)


def parts(resource: str) -> Iterable[str]:
    """A resource and what it is part of by its name, the narrowest first."""
    yield resource
    while "/" in resource:
        resource = resource.rpartition("/")[0]
        yield resource
