"""Whether listeners that take events have as many waiting that more might push some out."""

from ocs.api.tmf.hubs import Hub, HubStore
from ocs.limits import HUB_EVENTS_WAITING_MAX, LISTENER_CATCHES_UP_S


class SlowListeners:
    """Watches the queues of listeners."""

    def __init__(self, hubs: HubStore) -> None:
        self._hubs = hubs
        # Listeners whose queue is more than half full: how many events wait, and since when it has not grown shorter.
        self._behind: dict[str, tuple[int, float]] = {}

    def must_catch_up(self, hubs: list[Hub], now_s: float) -> bool:
        """Whether to wait for one of them; not for one that has taken nothing for a while. Blocks."""
        lengths = self._hubs.waiting([hub.hub_id for hub in hubs])
        behind: dict[str, tuple[int, float]] = {}
        for hub, length in zip(hubs, lengths, strict=True):
            if length > HUB_EVENTS_WAITING_MAX // 2:
                before, since_s = self._behind.get(hub.hub_id, (length, now_s))
                behind[hub.hub_id] = length, since_s if length >= before else now_s
        self._behind = behind
        return any(now_s - since_s < LISTENER_CATCHES_UP_S for _, since_s in behind.values())
