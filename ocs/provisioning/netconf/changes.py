"""Notifications that somebody changed an element's configuration (RFC 6470 section 2.2). Pure."""

from collections.abc import Callable

from ocs.limits import CHANGED_PATHS_MAX
from ocs.provisioning.driver import ConfigurationChange
from ocs.provisioning.netconf.documents import is_number, text_of
from ocs.provisioning.netconf.messages import Notification
from ocs.provisioning.netconf.operations import CHANGES

# A path of ours of an instance identifier with prefixes, whose namespaces the function gives.
PathOf = Callable[[str, Callable[[str], str]], str]


def read_change(notification: Notification, path_of: PathOf) -> ConfigurationChange | None:
    """What a notification tells of the running configuration.

    Returns:
        None when it tells of something else, or of another datastore.
    """
    content = notification.content
    if content is None or content.tag != f"{{{CHANGES}}}netconf-config-change":
        return None
    # Its default is running.
    if text_of(content.find(f"{{{CHANGES}}}datastore")) not in {"", "running"}:
        return None
    session_id = text_of(content.find(f"{{{CHANGES}}}changed-by/{{{CHANGES}}}session-id"))
    paths: dict[str, None] = {}
    for target in content.iterfind(f"{{{CHANGES}}}edit/{{{CHANGES}}}target"):
        if len(paths) >= CHANGED_PATHS_MAX:
            break
        namespaces = {prefix or "": uri for prefix, uri in target.nsmap.items()}
        paths[path_of(text_of(target), lambda prefix, known=namespaces: known.get(prefix, ""))] = None
    return ConfigurationChange(
        session_id=int(session_id) if is_number(session_id) else 0,
        user=text_of(content.find(f"{{{CHANGES}}}changed-by/{{{CHANGES}}}username")),
        paths=tuple(paths),
        at=notification.event_time,
    )
