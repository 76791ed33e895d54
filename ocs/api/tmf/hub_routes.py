"""``/hub`` of a TM Forum API: register a listener for its events, and take it away (TMF630 part 1, notifications)."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from litestar import Response, delete, post
from litestar.params import FromPath

from ocs.api.access import needs
from ocs.api.bodies import read_json
from ocs.api.threads import write_in_thread
from ocs.api.tmf.answers import AnyRequest, created_response
from ocs.api.tmf.callback import CallbackError, CallbackPolicy
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.hubs import Hub, HubsTooManyError, HubStore, new_hub_id, parse_event_query
from ocs.api.tmf.query import QueryError
from ocs.api.tmf.resources import Attributes
from ocs.api.tokens import Scope
from ocs.clock import Clock

HUB_EXAMPLE: Final = {
    "callback": "https://crm.example/events",
    "query": "eventType=TopupBalanceCreateEvent",
    "secret": "signs-what-is-posted",
}


class HubBody(msgspec.Struct, frozen=True, kw_only=True):
    """``EventSubscriptionInput``, and what signs the events: ``X-Hub-Signature`` (W3C WebSub section 7.1).

    Attributes:
        secret: never shown again; empty for no signature.
    """

    callback: str
    query: str = ""
    secret: str = ""


def _nothing_more() -> None:
    """Where events are queued as they happen, a listener that is registered misses none."""


class HubDesk:
    """Registers the listeners of one API.

    Args:
        base: of the API. policy: which addresses are called.
        on_registered: called after a listener was registered, so that it misses nothing from then on; it may block.
    """

    def __init__(
        self,
        hubs: HubStore,
        policy: CallbackPolicy,
        clock: Clock,
        base: str,
        on_registered: Callable[[], None] = _nothing_more,
    ) -> None:
        self.base = base
        self._hubs = hubs
        self._policy = policy
        self._clock = clock
        self._on_registered = on_registered

    def register(self, body: HubBody) -> Hub:
        """Register a listener; blocks.

        Raises:
            TmfError: 400 for an address that is not called or a query that is none, 409 when there is no room.
        """
        try:
            self._policy.target(body.callback)
            parse_event_query(body.query)
        except (CallbackError, QueryError) as error:
            raise TmfError(400, str(error)) from None
        hub = Hub(new_hub_id(), self.base, body.callback, body.query, body.secret, self._clock.now_ms())
        try:
            self._hubs.add(hub)
        except HubsTooManyError:
            raise TmfError(409, "there are as many listeners as there may be: take one away first") from None
        self._on_registered()
        return hub

    def remove(self, hub_id: str) -> None:
        """Take a listener away; blocks.

        Raises:
            TmfError: 404, there is none of this API.
        """
        if not self._hubs.remove(hub_id, self.base):
            raise TmfError(404, "there is no such listener")


def hub_routes(hubs: HubDesk, tag: str, *, scope: Scope = Scope.HUB_WRITE) -> list[Any]:
    """The routes of one API's hub.

    Args:
        scope: that registering needs: who listens learns what the API shows.
    """
    base = hubs.base
    name = base.split("/")[-2]
    name = name[0].upper() + name[1:]

    @post(
        f"{base}/hub",
        tags=[tag],
        operation_id=f"register{name}Listener",
        **needs(scope, body=HubBody, example=HUB_EXAMPLE, errors=(409,)),
    )
    async def register_listener(request: AnyRequest) -> Response[bytes]:
        """Have events posted to an address, all of them or those that `query` asks for.

        Each event is posted as JSON until the address answers 2xx; the same `eventId` again is the same event.
        """
        hub: Hub = await write_in_thread(hubs.register, await read_json(request, HubBody))
        shown: Attributes = {"id": hub.hub_id, "href": f"{base}/hub/{hub.hub_id}", "callback": hub.callback}
        return created_response(shown | ({"query": hub.query} if hub.query else {}))

    @delete(
        f"{base}/hub/{{hub_id:str}}",
        tags=[tag],
        operation_id=f"unregister{name}Listener",
        **needs(scope),
    )
    async def remove_listener(hub_id: FromPath[str]) -> None:
        """Stop telling an address; what waits for it is dropped."""
        await write_in_thread(hubs.remove, hub_id)

    return [register_listener, remove_listener]
