"""How an element's SNMP agent is asked, with its secrets read."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path

import msgspec

from ocs.faults.topology.schema import AgentAccess, Element, TopologyError
from ocs.secret_file import SecretFileError, read_secret_file
from ocs.settings import Settings, SnmpUserSettings, resolve_path


class Secrets(msgspec.Struct, frozen=True):
    """As what we ask: a community of v2c, or a user of version 3 with the protocols of ``[[snmp.users]]``.

    Attributes:
        community: empty with a user. authentication, privacy: ``none`` for neither.
    """

    community: str = ""
    user: str = ""
    authentication: str = "none"
    authentication_password: str = ""
    privacy: str = "none"
    privacy_password: str = ""

    def __repr__(self) -> str:
        return f"Secrets(user={self.user!r})"


class Agent(msgspec.Struct, frozen=True):
    """An agent that can be asked.

    Attributes:
        sources: addresses from which its notifications may come, as text.
        walks: names of its tables. resync_ms: it is asked so often without an occasion; 0: never.
    """

    element: str
    host: str
    port: int
    secrets: Secrets
    sources: tuple[str, ...]
    walks: tuple[str, ...]
    resync_ms: int = 0


def agents_of(elements: Iterable[Element], settings: Settings, walks: Iterable[str]) -> dict[str, Agent]:
    """The agents of all elements that have one, by the element; reads files.

    Args:
        walks: names of the tables that are known.

    Raises:
        TopologyError: a secret cannot be read, or nobody knows a user or a table; one line.
    """
    users = {user.name: user for user in settings.snmp.users}
    known = frozenset(walks)
    agents: dict[str, Agent] = {}
    for element in elements:
        access = element.agent
        if access is None:
            continue
        entry = f"elements[{element.name}].agent"
        for walk in access.walks:
            if walk not in known:
                expectation = f"expected some of {', '.join(sorted(known))}, not {walk}"
                raise TopologyError("", f"{entry}.walks", expectation)
        host = access.address or element.addresses[0]
        sources = dict.fromkeys(str(ip_address(address)) for address in (host, *element.addresses))
        agents[element.name] = Agent(
            element.name,
            host,
            access.port,
            _secrets(entry, access, users, settings),
            tuple(sources),
            access.walks,
            int(access.resync_s * 1000),
        )
    return agents


def _secrets(
    entry: str, access: AgentAccess, users: Mapping[str, SnmpUserSettings], settings: Settings
) -> Secrets:
    def secret(path: str) -> str:
        return _read(resolve_path(settings, path), entry) if path else ""

    if access.community_file:
        return Secrets(community=secret(access.community_file))
    user = users.get(access.user)
    if user is None:
        raise TopologyError("", f"{entry}.user", f"expected one of [[snmp.users]], not {access.user}")
    return Secrets(
        user=user.name,
        authentication=user.authentication,
        authentication_password=secret(user.authentication_file),
        privacy=user.privacy,
        privacy_password=secret(user.privacy_file),
    )


def _read(path: Path, entry: str) -> str:
    try:
        return read_secret_file(path)
    except SecretFileError as error:
        raise TopologyError("", entry, str(error)) from None
