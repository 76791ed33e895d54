"""What an element's hello says that it can do: read, never assumed (RFC 6241 section 8). Pure."""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from ocs.limits import NETCONF_CAPABILITIES_MAX

_CAPABILITY: Final = "urn:ietf:params:netconf:capability:"
BASE_1_0: Final = "urn:ietf:params:netconf:base:1.0"
BASE_1_1: Final = "urn:ietf:params:netconf:base:1.1"


class ModuleCapability(msgspec.Struct, frozen=True):
    """A YANG module as a hello lists it (RFC 6020 section 5.6.4)."""

    namespace: str
    revision: str = ""
    features: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an element can do, as it says itself.

    Attributes:
        base: its versions of the protocol, "1.0" and "1.1".
        confirmed_commit: "1.0" (ends with the session), "1.1" (with persist-id and cancel-commit), or empty.
        validate: "1.0", "1.1" (with test-only), or empty. url_schemes: schemes of the url capability.
        default_mode: how it reports defaults (RFC 6243 section 2); empty when it does not say.
        default_modes: others that can be asked for.
        yang_library: "1.0" (RFC 7895), "1.1" (RFC 8525), or empty. yang_library_id: changes when its modules do.
        modules: those that its hello lists; a server with yang_library 1.1 may list none.
    """

    base: frozenset[str]
    writable_running: bool = False
    candidate: bool = False
    confirmed_commit: str = ""
    rollback_on_error: bool = False
    validate: str = ""
    startup: bool = False
    url_schemes: tuple[str, ...] = ()
    xpath: bool = False
    notification: bool = False
    interleave: bool = False
    partial_lock: bool = False
    default_mode: str = ""
    default_modes: tuple[str, ...] = ()
    yang_library: str = ""
    yang_library_id: str = ""
    modules: Mapping[str, ModuleCapability] = {}

    @property
    def nmda(self) -> bool:
        """Whether it knows ``get-data`` (RFC 8526)."""
        return "ietf-netconf-nmda" in self.modules


def read_capabilities(uris: Iterable[str]) -> Capabilities:
    """Read the capabilities of a hello; those that we do not know say nothing to us (RFC 6241 section 8.1).

    Raises:
        ValueError: there are more than anybody has.
    """
    known: dict[str, dict[str, str]] = {}
    modules: dict[str, ModuleCapability] = {}
    for number, uri in enumerate(uris):
        if number >= NETCONF_CAPABILITIES_MAX:
            raise ValueError(f"more than {NETCONF_CAPABILITIES_MAX} capabilities")
        name, _, query = "".join(uri.split()).partition("?")
        parameters = dict(parse_qsl(query))
        if name.startswith(_CAPABILITY):
            known[name.removeprefix(_CAPABILITY)] = parameters
        elif name in {BASE_1_0, BASE_1_1}:
            known[name.removeprefix("urn:ietf:params:netconf:")] = parameters
        elif "module" in parameters:
            modules[parameters["module"]] = ModuleCapability(
                name,
                parameters.get("revision", ""),
                _listed(parameters.get("features", "")),
                _listed(parameters.get("deviations", "")),
            )
    defaults = known.get("with-defaults:1.0", {})
    library = known.get("yang-library:1.1", known.get("yang-library:1.0", {}))
    return Capabilities(
        base=frozenset(version for version in ("1.0", "1.1") if f"base:{version}" in known),
        writable_running="writable-running:1.0" in known,
        candidate="candidate:1.0" in known,
        confirmed_commit=_highest(known, "confirmed-commit"),
        rollback_on_error="rollback-on-error:1.0" in known,
        validate=_highest(known, "validate"),
        startup="startup:1.0" in known,
        url_schemes=_listed(known.get("url:1.0", {}).get("scheme", "")),
        xpath="xpath:1.0" in known,
        notification="notification:1.0" in known,
        interleave="interleave:1.0" in known,
        partial_lock="partial-lock:1.0" in known,
        default_mode=defaults.get("basic-mode", ""),
        default_modes=_listed(defaults.get("also-supported", "")),
        yang_library=_highest(known, "yang-library"),
        yang_library_id=library.get("content-id", library.get("module-set-id", "")),
        modules=modules,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


def _highest(known: Mapping[str, object], name: str) -> str:
    return next((version for version in ("1.1", "1.0") if f"{name}:{version}" in known), "")
