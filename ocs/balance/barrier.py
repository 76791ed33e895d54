"""What must be true of the replicas before a commit counts as done, as ``[store]`` says."""

from typing import Self

import msgspec

from ocs.settings import StoreSettings


class Barrier(msgspec.Struct, frozen=True):
    """What must be true of the replicas before a commit counts as done.

    Attributes:
        replicas: how many must have it.
        timeout_ms: how long they are waited for.
        is_required: whether it fails without them; otherwise what the primary has fsynced will do (``on_degraded``).
    """

    replicas: int
    timeout_ms: int
    is_required: bool

    @classmethod
    def from_settings(cls, settings: StoreSettings) -> Self | None:
        """The barrier of ``[store]``; None unless ``durability = "replicated"``."""
        if settings.durability != "replicated":
            return None
        return cls(
            settings.replicas, round(settings.replication_timeout_s * 1000), settings.on_degraded == "refuse"
        )
