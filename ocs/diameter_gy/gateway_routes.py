"""By which connection a gateway is reached: learnt from the requests that came by it (RFC 6733 section 6.1.6)."""

from collections import OrderedDict
from collections.abc import Callable, Iterable

from ocs.diameter_gy.admission import is_same_identity
from ocs.diameter_gy.base_commands import RELAY_APPLICATION
from ocs.diameter_gy.connection import Connection
from ocs.diameter_gy.peer_states import State
from ocs.limits import GATEWAY_ROUTES_MAX


class GatewayRoutes:
    """The connection by which requests of each Origin-Host came last, directly or through agents.

    Invariant: holds at most limits.GATEWAY_ROUTES_MAX hosts, of which the longest unheard gives way.

    Args:
        connections: all of this process.
    """

    def __init__(self, connections: Callable[[], Iterable[Connection]]) -> None:
        self._connections = connections
        self._known: OrderedDict[str, Connection] = OrderedDict()

    def note(self, origin_host: str, connection: Connection) -> None:
        """A request of a gateway came by a connection; called for every request."""
        if self._known.get(origin_host) is not connection:
            self._known[origin_host] = connection
            self._known.move_to_end(origin_host)
            if len(self._known) > GATEWAY_ROUTES_MAX:
                self._known.popitem(last=False)

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        for origin_host in [host for host, known in self._known.items() if known is connection]:
            del self._known[origin_host]

    def rank(self, origin_host: str) -> int:
        """How good a way is from here: 3 as its requests come, 2 its own, 1 by a relay that may know it, 0 none."""
        found = self.find(origin_host)
        if found is None:
            return 0
        if self._known.get(origin_host) is found:
            return 3
        return 2 if is_same_identity(found.peer_name, origin_host) else 1

    def find(self, origin_host: str, *, but: Connection | None = None) -> Connection | None:
        """An open connection to a gateway: the one that its requests came by, its own, or any to a relay.

        Args:
            origin_host: of the gateway.
            but: was tried and led nowhere: it is taken when there is no other.
        """
        learnt = self._known.get(origin_host)
        if learnt is not None and learnt is not but and _is_open(learnt):
            return learnt
        found = [one for one in self._connections() if is_same_identity(one.peer_name, origin_host)]
        found += [one for one in self._connections() if _is_relay(one)]
        usable = [one for one in found if _is_open(one)]
        if learnt is not None and _is_open(learnt):
            usable.append(learnt)
        return next((one for one in usable if one is not but), usable[0] if usable else None)


def _is_open(connection: Connection) -> bool:
    return not connection.is_closed and connection.peer.state is State.OPEN


def _is_relay(connection: Connection) -> bool:
    capabilities = connection.peer.capabilities
    return capabilities is not None and RELAY_APPLICATION in capabilities.application_ids
