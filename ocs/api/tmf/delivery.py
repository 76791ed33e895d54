"""Tells listeners: one task per registration posts what waits in its queue, in order, until it is taken.

A listener has an event at least once: whoever crashed between its answer and our note of it gets the event again, with
the same ``eventId``. One that does not answer is tried again after a growing while, and is given up when it has taken
nothing for :data:`~ocs.limits.HUB_GIVEN_UP_S`. Several HTTP processes of one store share the work by leases.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Any, Final

import trio

from ocs.api.threads import ReaderUnavailableError, read_in_thread, write_in_thread
from ocs.api.tmf.callback import CallbackError, CallbackFailedError, CallbackPolicy, post
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.api.tmf.query import Resource
from ocs.api.tmf.resources import ResourceType, date_time, encode_body
from ocs.limits import HUB_GIVEN_UP_S, HUB_LEASE_S, HUB_POLL_INTERVAL_S, HUB_RETRY_DELAY_MAX_S
from ocs.log import get_logger
from ocs.metrics import Counter

log = get_logger(__name__)

POSTED = Counter("ocs_hub_posts_total", "Events posted to listeners, by outcome.", ("outcome",))

_RETRY_DELAY_S: Final = 1.0


def make_event(
    kind: ResourceType,
    what: str,
    resource: Resource,
    *,
    event_id: str,
    now_ms: int,
    occurred: str = "",
) -> dict[str, Any]:
    """An event as listeners get it.

    Args:
        what: behind the resource's name: ``Create``, ``StateChange``, ``Failure``.
        event_id: the same for every copy of the event.
        occurred: when it happened, where that is another time than the one at which it is told.
    """
    return {
        "eventId": event_id,
        "eventTime": date_time(now_ms),
        "eventType": f"{kind.name}{what}Event",
        "correlationId": resource["id"],
        "domain": kind.domain,
        "title": f"{kind.name} {what}",
        "timeOcurred": occurred or date_time(now_ms),
        "event": {kind.path: resource},
    }


def announce(hubs: HubStore, base: str, *events: dict[str, Any]) -> None:
    """Queue events for every listener of an API that wants them; blocks."""
    announce_to(hubs, hubs.listening_to(base), *events)


def announce_to(hubs: HubStore, listeners: Iterable[Hub], *events: dict[str, Any]) -> None:
    """Do so for listeners that are known already."""
    octets = [encode_body(event) for event in events]
    for hub in listeners:
        wanted = [body for event, body in zip(events, octets, strict=True) if hub.wants(event)]
        if wanted:
            hubs.enqueue([hub.hub_id], *wanted)


def signature(secret: str, body: bytes) -> str:
    """What proves to a listener that an event is ours (W3C WebSub section 7.1)."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Delivery:
    """Posts to all listeners until it is cancelled, which loses nothing: what was not taken still waits.

    Args:
        hubs: registrations and queues. policy: which addresses are called.
    """

    def __init__(self, hubs: HubStore, policy: CallbackPolicy) -> None:
        self._hubs = hubs
        self._policy = policy
        self._holder = secrets.token_hex(8)
        self._served: set[str] = set()

    async def run(self) -> None:
        """Serve whoever is registered, and whoever registers."""
        async with trio.open_nursery() as nursery:
            while True:
                for hub in await self._registered():
                    if hub.hub_id not in self._served:
                        self._served.add(hub.hub_id)
                        nursery.start_soon(self._serve, hub)
                await trio.sleep(HUB_POLL_INTERVAL_S)

    async def _registered(self) -> list[Hub]:
        try:
            return await read_in_thread(self._hubs.all)
        except ReaderUnavailableError:
            return []  # readiness tells of it

    async def _serve(self, hub: Hub) -> None:
        try:
            failing_since: float | None = None
            delay_s = _RETRY_DELAY_S
            while True:
                outcome = await self._post_first(hub)
                if outcome == "gone":
                    return
                if outcome == "refused":
                    failing_since = trio.current_time() if failing_since is None else failing_since
                    if trio.current_time() - failing_since > HUB_GIVEN_UP_S:
                        await self._give_up(hub)
                        return
                    await trio.sleep(delay_s)
                    delay_s = min(delay_s * 2, HUB_RETRY_DELAY_MAX_S)
                else:
                    failing_since, delay_s = None, _RETRY_DELAY_S
                    if outcome == "idle":
                        await trio.sleep(HUB_POLL_INTERVAL_S)
        finally:
            self._served.discard(hub.hub_id)

    async def _post_first(self, hub: Hub) -> str:
        """Post what waits longest: ``taken``, ``refused``, ``idle`` when nothing is ours to post, ``gone``."""
        try:
            if await read_in_thread(self._hubs.get, hub.hub_id) is None:
                return "gone"
            if not await write_in_thread(self._hubs.hold_lease, hub.hub_id, self._holder, HUB_LEASE_S):
                return "idle"
            event = await read_in_thread(self._hubs.first, hub.hub_id)
            if event is None:
                return "idle"
            if not await self._is_taken(hub, event):
                return "refused"
            await write_in_thread(self._hubs.taken, hub.hub_id, event)
        except ReaderUnavailableError:
            return "idle"
        return "taken"

    async def _is_taken(self, hub: Hub, event: bytes) -> bool:
        headers = {"X-Hub-Signature": signature(hub.secret, event)} if hub.secret else {}
        try:
            status = await post(self._policy, self._policy.target(hub.callback), event, headers)
        except (CallbackError, CallbackFailedError) as error:
            reason = str(error)
        else:
            if 200 <= status < 300:
                POSTED.inc("taken")
                return True
            reason = f"it answered {status}"
        POSTED.inc("refused")
        log.warning("hub_listener_failed", hub=hub.hub_id, reason=reason, remedy="none: it is tried again")
        return False

    async def _give_up(self, hub: Hub) -> None:
        log.error(
            "hub_listener_given_up",
            hub=hub.hub_id,
            reason=f"it took nothing for {HUB_GIVEN_UP_S:g} s",
            remedy="register it again when it is reachable",
        )
        try:
            await write_in_thread(self._hubs.remove, hub.hub_id)
        except ReaderUnavailableError:
            return  # it is served again, and given up later
