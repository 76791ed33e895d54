"""Tells one API's listeners of what was done by the API itself, as soon as it was."""

import secrets

from ocs.api.threads import write_in_thread
from ocs.api.tmf.delivery import announce, make_event
from ocs.api.tmf.hubs import HubStore
from ocs.api.tmf.query import Resource
from ocs.api.tmf.resources import ResourceType
from ocs.clock import Clock


class EventDesk:
    """Announces changes; whoever listens is told of each at least once, unless this process dies in between."""

    def __init__(self, hubs: HubStore, clock: Clock) -> None:
        self.hubs = hubs
        self.clock = clock

    async def tell(self, kind: ResourceType, what: str, resource: Resource) -> None:
        """Tell of one change.

        Args:
            what: behind the resource's name: ``Create``, ``AttributeValueChange``, ``StateChange``, ``Delete``.
        """
        event = make_event(kind, what, resource, event_id=secrets.token_hex(12), now_ms=self.clock.now_ms())
        await write_in_thread(announce, self.hubs, kind.base, event)
