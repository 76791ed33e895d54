"""Notifications of an element about itself (RFC 5277, RFC 6470). Pure."""

from datetime import UTC, datetime
from typing import Final

from lxml import etree

from simulators.element.messages import NOTIFICATION
from simulators.element.model import Model
from simulators.element.tree import Change, Element, prefixed_path

EVENTS: Final = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"
_EDITS_MAX: Final = 1_000


def notification(event: Element, at: datetime) -> Element:
    """An event as a message; one element may go into several messages."""
    root = etree.Element(f"{{{NOTIFICATION}}}notification", nsmap={None: NOTIFICATION})
    when = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    etree.SubElement(root, f"{{{NOTIFICATION}}}eventTime").text = when
    root.append(event)
    return root


def _event(name: str) -> Element:
    return etree.Element(f"{{{EVENTS}}}{name}", nsmap={None: EVENTS})


def _add(parent: Element, name: str, text: str, names: dict[str | None, str] | None = None) -> None:
    etree.SubElement(parent, f"{{{EVENTS}}}{name}", nsmap=names).text = text


def _add_session(parent: Element, user: str, session_id: int, host: str) -> None:
    _add(parent, "username", user)
    _add(parent, "session-id", str(session_id))
    if host:
        _add(parent, "source-host", host)


def config_change(
    model: Model, datastore: str, changes: list[Change], *, user: str, session_id: int, host: str
) -> Element:
    """netconf-config-change (RFC 6470 section 2.2).

    Args:
        session_id: who changed it; 0: the server, as when a confirmed commit's time is over.
        user: with session 0: somebody at the console; empty: the server itself.
    """
    event = _event("netconf-config-change")
    by = etree.SubElement(event, f"{{{EVENTS}}}changed-by")
    if session_id or user:
        _add_session(by, user, session_id, host)
    else:
        etree.SubElement(by, f"{{{EVENTS}}}server")
    _add(event, "datastore", datastore)
    for steps, operation in changes[:_EDITS_MAX]:
        edit = etree.SubElement(event, f"{{{EVENTS}}}edit")
        target, names = prefixed_path(model, steps)
        _add(edit, "target", target, names)
        _add(edit, "operation", operation)
    return event


def confirmed_commit(what: str, timeout_s: int, *, user: str, session_id: int, host: str) -> Element:
    """netconf-confirmed-commit (RFC 6470 section 2.5); ``timeout`` events have no session."""
    event = _event("netconf-confirmed-commit")
    if what != "timeout":
        _add_session(event, user, session_id, host)
    _add(event, "confirm-event", what)
    if what in {"start", "extend"}:
        _add(event, "timeout", str(timeout_s))
    return event


def session_event(
    started: bool,  # noqa: FBT001  # the two notifications of a session
    *,
    user: str,
    session_id: int,
    host: str,
    reason: str = "",
    killed_by: int = 0,
) -> Element:
    """netconf-session-start and netconf-session-end (RFC 6470 section 2.4)."""
    event = _event("netconf-session-start" if started else "netconf-session-end")
    _add_session(event, user, session_id, host)
    if not started:
        if killed_by:
            _add(event, "killed-by", str(killed_by))
        _add(event, "termination-reason", reason)
    return event
