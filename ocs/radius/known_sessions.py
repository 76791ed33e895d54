"""How to name sessions to the servers that hold them, for orders that come of no packet of theirs."""

from collections import OrderedDict
from typing import Final, NamedTuple

from ocs.limits import RADIUS_SESSIONS_KNOWN_MAX
from ocs.radius import codes
from ocs.radius.clients import Client, Clients
from ocs.radius.packet import Packet, attribute, text_attribute
from ocs.radius.session_name import SessionName

# What identifies a session and its NAS (RFC 5176 section 3), as far as a packet tells it.
_IDENTIFYING: Final = (
    codes.USER_NAME,
    codes.NAS_IP_ADDRESS,
    codes.NAS_IDENTIFIER,
    codes.NAS_IPV6_ADDRESS,
    codes.NAS_PORT,
    codes.FRAMED_IP_ADDRESS,
    codes.CALLING_STATION_ID,
    codes.ACCT_SESSION_ID,
)


class Place(NamedTuple):
    """Where a session is held, and by which attributes it is known there.

    Attributes:
        host: address that orders go to.
    """

    client: Client
    host: str
    attributes: tuple[bytes, ...]


class KnownSessions:
    """The places of the sessions whose packets came through this process; those silent for longest are forgotten."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._places: OrderedDict[str, Place] = OrderedDict()

    def note(self, name: SessionName, packet: Packet, client: Client, host: str) -> Place:
        """Learn a session's place from a packet of it."""
        place = Place(
            client,
            host,
            tuple(
                attribute(code, value) for code in _IDENTIFYING if (value := packet.first(code)) is not None
            ),
        )
        self._places[name.session_id] = place
        self._places.move_to_end(name.session_id)
        if len(self._places) > RADIUS_SESSIONS_KNOWN_MAX:
            self._places.popitem(last=False)
        return place

    def forget(self, name: SessionName) -> None:
        """A session is over."""
        self._places.pop(name.session_id, None)

    def find(self, session_id: str) -> Place | None:
        """The place of a session: as its packets told it, else as its name does.

        Returns:
            None when nobody here knows: the client has many addresses, or the session's Acct-Session-Id came later.
        """
        place = self._places.get(session_id)
        if place is not None:
            return place
        name = SessionName.parse(session_id)
        client = None if name is None else self._clients.named(name.client)
        if name is None or client is None or client.network.num_addresses != 1:
            return None
        if not name.told_acct_session_id:
            return None
        attributes = [text_attribute(codes.ACCT_SESSION_ID, name.told_acct_session_id)]
        if name.told_nas_identifier:
            attributes.append(text_attribute(codes.NAS_IDENTIFIER, name.told_nas_identifier))
        return Place(client, str(client.network.network_address), tuple(attributes))
