"""What an element tells of itself besides its configuration: its modules, sessions and schemas. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from simulators.element.datastores import Profile
from simulators.element.messages import capabilities
from simulators.element.model import Model, Tree

_LIBRARY = "ietf-yang-library"
_MONITORING = "ietf-netconf-monitoring"


def own_state(
    model: Model,
    profile: Profile,
    datastores: Iterable[str],
    sessions: Iterable[tuple[int, str, str, datetime]],
    locks: Mapping[str, int],
) -> Tree:
    """The trees of ietf-yang-library and ietf-netconf-monitoring.

    Args:
        sessions: session-id, user, source host and login time of each.
    """
    modules = [
        one
        for one in model.library["ietf-yang-library:modules-state"]["module"]
        if profile.nmda or one["name"] != "ietf-netconf-nmda"
    ]
    library = {f"{_LIBRARY}:yang-library": _library(model, datastores)} if profile.nmda else {}
    return {
        **library,
        f"{_LIBRARY}:modules-state": _named(
            _LIBRARY,
            {
                "module-set-id": model.content_id,
                "module": _entries(_LIBRARY, (_module(one) for one in modules), "name", "revision"),
            },
        ),
        f"{_MONITORING}:netconf-state": _named(
            _MONITORING,
            {
                "capabilities": _named(_MONITORING, {"capability": tuple(capabilities(model, profile))}),
                "schemas": _named(_MONITORING, {"schema": _schemas(model)}),
                "sessions": _named(_MONITORING, {"session": _sessions(sessions)}),
                "datastores": _named(_MONITORING, {"datastore": _stores(datastores, locks)}),
            },
        ),
    }


def _named(module: str, values: Mapping[str, Any]) -> Tree:
    return {f"{module}:{name}": value for name, value in values.items()}


def _entries(module: str, entries: Iterable[Mapping[str, Any]], *keys: str) -> dict[tuple[str, ...], Tree]:
    return {tuple(one[key] for key in keys): _named(module, one) for one in entries}


def _module(module: Mapping[str, Any]) -> dict[str, Any]:
    entry = {
        "name": module["name"],
        "revision": module["revision"],
        "namespace": module["namespace"],
        "conformance-type": module["conformance-type"],
    }
    if module["feature"]:
        entry["feature"] = tuple(module["feature"])
    if "submodule" in module:
        entry["submodule"] = _entries(_LIBRARY, module["submodule"], "name", "revision")
    return entry


def _library(model: Model, datastores: Iterable[str]) -> Tree:
    """RFC 8525 section 3: one module set, one schema, every datastore with it."""
    modules = model.library["ietf-yang-library:modules-state"]["module"]
    implemented = [
        {"name": one["name"], "revision": one["revision"], "namespace": one["namespace"]}
        for one in modules
        if one["conformance-type"] == "implement"
    ]
    known = {"running": "ietf-datastores:running", "candidate": "ietf-datastores:candidate"}
    stores = [
        {"name": known.get(one, "ietf-datastores:startup"), "schema": "everything"} for one in datastores
    ]
    module_set = {"name": "everything", "module": _entries(_LIBRARY, implemented, "name")}
    return _named(
        _LIBRARY,
        {
            "module-set": _entries(_LIBRARY, [module_set], "name"),
            "schema": _entries(_LIBRARY, [{"name": "everything", "module-set": ("everything",)}], "name"),
            "datastore": _entries(_LIBRARY, stores, "name"),
            "content-id": model.content_id,
        },
    )


def _schemas(model: Model) -> dict[tuple[str, ...], Tree]:
    """Every file that get-schema gives; of submodules the namespace of their module is not told."""
    schemas = [
        {
            "identifier": name,
            "version": model.revisions[name],
            "format": f"{_MONITORING}:yang",
            "namespace": model.namespaces.get(name, ""),
            "location": ("NETCONF",),
        }
        for name in sorted(model.sources)
    ]
    return _entries(_MONITORING, schemas, "identifier", "version", "format")


def _sessions(sessions: Iterable[tuple[int, str, str, datetime]]) -> dict[tuple[str, ...], Tree]:
    entries = [
        {
            "session-id": str(session_id),
            "transport": f"{_MONITORING}:netconf-ssh",
            "username": user,
            "source-host": host,
            "login-time": login.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        }
        for session_id, user, host, login in sessions
    ]
    return _entries(_MONITORING, entries, "session-id")


def _stores(datastores: Iterable[str], locks: Mapping[str, int]) -> dict[tuple[str, ...], Tree]:
    entries: list[dict[str, Any]] = []
    for name in datastores:
        entry: dict[str, Any] = {"name": name}
        if name in locks:
            by = _named(_MONITORING, {"locked-by-session": str(locks[name])})
            entry["locks"] = _named(_MONITORING, {"global-lock": by})
        entries.append(entry)
    return _entries(_MONITORING, entries, "name")
