"""The barrier as the settings ask for it."""

from ocs.balance.barrier import Barrier
from ocs.settings import StoreSettings


def test_barrier_is_what_the_settings_say():
    settings = StoreSettings(
        durability="replicated", replicas=2, replication_timeout_s=0.25, on_degraded="fsync"
    )
    assert Barrier.from_settings(settings) == Barrier(2, 250, is_required=False)
    assert Barrier.from_settings(StoreSettings(durability="replicated")) == Barrier(
        1, 1_000, is_required=True
    )
    assert Barrier.from_settings(StoreSettings()) is None
