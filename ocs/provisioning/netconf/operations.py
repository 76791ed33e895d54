"""Operations of NETCONF as XML (RFC 6241 section 7, RFC 5277, RFC 6022, RFC 6243, RFC 8526). Pure."""

from typing import Final, Literal

from ocs.provisioning.netconf.documents import NETCONF, XmlElement, child, element
from ocs.provisioning.netconf.messages import NOTIFICATION

Datastore = Literal["running", "candidate", "startup"]
# RFC 6022, RFC 6243, RFC 6470, RFC 8526, RFC 8342.
MONITORING: Final = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"
WITH_DEFAULTS: Final = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults"
CHANGES: Final = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"
NMDA: Final = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda"
DATASTORES: Final = "urn:ietf:params:xml:ns:yang:ietf-datastores"


def _on(operation: str, role: str, datastore: Datastore) -> XmlElement:
    made = element(NETCONF, operation)
    child(child(made, NETCONF, role), NETCONF, datastore)
    return made


def lock(datastore: Datastore) -> XmlElement:
    """Keep others out."""
    return _on("lock", "target", datastore)


def unlock(datastore: Datastore) -> XmlElement:
    """Let them in again."""
    return _on("unlock", "target", datastore)


def discard_changes() -> XmlElement:
    """Make the candidate equal to what runs."""
    return element(NETCONF, "discard-changes")


def validate(datastore: Datastore) -> XmlElement:
    """Check a datastore as a whole."""
    return _on("validate", "source", datastore)


def copy_config(source: Datastore, target: Datastore) -> XmlElement:
    """Replace a datastore by another."""
    made = _on("copy-config", "target", target)
    child(child(made, NETCONF, "source"), NETCONF, source)
    return made


def edit_config(
    target: Datastore, config: XmlElement, *, test_option: str = "", error_option: str = ""
) -> XmlElement:
    """Merge a configuration into a datastore (section 7.2); options only where the element has them."""
    made = _on("edit-config", "target", target)
    child(made, NETCONF, "default-operation", "merge")
    if test_option:
        child(made, NETCONF, "test-option", test_option)
    if error_option:
        child(made, NETCONF, "error-option", error_option)
    made.append(config)
    return made


def get_config(
    source: Datastore, subtree: XmlElement | None = None, *, with_defaults: str = ""
) -> XmlElement:
    """Read a datastore's configuration."""
    made = _on("get-config", "source", source)
    return _selected(made, subtree, with_defaults)


def get(subtree: XmlElement | None = None, *, with_defaults: str = "") -> XmlElement:
    """Read what runs, and state."""
    return _selected(element(NETCONF, "get"), subtree, with_defaults)


def _selected(made: XmlElement, subtree: XmlElement | None, with_defaults: str) -> XmlElement:
    if subtree is not None:
        made.append(subtree)
    if with_defaults:
        child(made, WITH_DEFAULTS, "with-defaults", with_defaults)
    return made


def get_data(
    datastore: str, subtree: XmlElement | None = None, *, is_config: bool | None = None
) -> XmlElement:
    """Read a datastore of NMDA such as ``operational`` (RFC 8526 section 3.1.1).

    Args:
        datastore: an identity of ietf-datastores. subtree: the children of a filter of RFC 6241.
        is_config: only configuration, or only state; None: both.
    """
    made = element(NMDA, "get-data")
    child(made, NMDA, "datastore", f"ds:{datastore}", prefixes={"ds": DATASTORES})
    if subtree is not None:
        selected = child(made, NMDA, "subtree-filter")
        selected.extend(list(subtree))
    if is_config is not None:
        child(made, NMDA, "config-filter", "true" if is_config else "false")
    return made


def commit(*, confirm_timeout_s: int = 0, persist: str = "", persist_id: str = "") -> XmlElement:
    """Make the candidate run (section 8.3.4.1; confirmed, section 8.4.5.1).

    Args:
        confirm_timeout_s: above 0 it is undone after so long, unless it is confirmed.
        persist: the name under which other sessions confirm it. persist_id: confirms the one of that name.
    """
    made = element(NETCONF, "commit")
    if confirm_timeout_s:
        child(made, NETCONF, "confirmed")
        child(made, NETCONF, "confirm-timeout", str(confirm_timeout_s))
    if persist:
        child(made, NETCONF, "persist", persist)
    if persist_id:
        child(made, NETCONF, "persist-id", persist_id)
    return made


def cancel_commit(persist_id: str = "") -> XmlElement:
    """Undo a confirmed commit now (section 8.4.4.1)."""
    made = element(NETCONF, "cancel-commit")
    if persist_id:
        child(made, NETCONF, "persist-id", persist_id)
    return made


def kill_session(session_id: int) -> XmlElement:
    """End somebody else's session (section 7.9)."""
    made = element(NETCONF, "kill-session")
    child(made, NETCONF, "session-id", str(session_id))
    return made


def close_session() -> XmlElement:
    """End our own (section 7.8)."""
    return element(NETCONF, "close-session")


def get_schema(module: str, revision: str = "") -> XmlElement:
    """Ask for the YANG of a module (RFC 6022 section 3.1)."""
    made = element(MONITORING, "get-schema")
    child(made, MONITORING, "identifier", module)
    if revision:
        child(made, MONITORING, "version", revision)
    child(made, MONITORING, "format", "yang")
    return made


def subscribe_to_changes() -> XmlElement:
    """Be told of changes of configuration (RFC 5277 section 2.1.1, RFC 6470 section 2.2)."""
    made = element(NOTIFICATION, "create-subscription")
    child(made, NOTIFICATION, "stream", "NETCONF")
    subtree = child(made, NOTIFICATION, "filter")
    subtree.set("type", "subtree")
    child(subtree, CHANGES, "netconf-config-change")
    return made
