"""Messages of NETCONF as XML: hello, rpc, rpc-reply, rpc-error (RFC 6241). Pure."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from lxml import etree

from simulators.element.datastores import Profile
from simulators.element.edits import BASE
from simulators.element.errors import RpcError
from simulators.element.model import Model
from simulators.element.selection import DEFAULT_MODES
from simulators.element.tree import Element, PathError, parse_path, prefixed_path

MONITORING: Final = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"
NOTIFICATION: Final = "urn:ietf:params:xml:ns:netconf:notification:1.0"
_CAPABILITY: Final = "urn:ietf:params:netconf:capability"
_NMDA: Final = "ietf-netconf-nmda"
BASE_1_0: Final = "urn:ietf:params:netconf:base:1.0"
BASE_1_1: Final = "urn:ietf:params:netconf:base:1.1"


class MalformedError(ValueError):
    """What came is no XML."""


class Request(NamedTuple):
    """One rpc. attributes: of the element rpc, to be sent back. operation: its one child."""

    attributes: dict[str, str]
    operation: Element

    @property
    def name(self) -> str:
        """The operation's name without its namespace."""
        return etree.QName(self.operation).localname

    @property
    def step(self) -> str:
        """What faults know it as: the operation, and for a commit which of the three it is."""
        if self.name != "commit":
            return self.name
        if self.operation.find(f"{{{BASE}}}confirmed") is not None:
            return "commit confirmed"
        confirming = self.operation.find(f"{{{BASE}}}persist-id") is not None
        return "commit confirming" if confirming else "commit plain"


def parse(message: bytes) -> Element:
    """A message's root element.

    Raises:
        MalformedError: it is no XML, or has a document type.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, remove_comments=True
    )
    try:
        root = etree.fromstring(message.strip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MalformedError(str(error)) from error
    if root.getroottree().docinfo.doctype:
        raise MalformedError("a document type (RFC 6241 section 3)")
    return root


def read_hello(root: Element) -> frozenset[str]:
    """The capabilities of a client's hello.

    Raises:
        MalformedError: it is no hello, or has a session-id, which only servers send (RFC 6241 section 8.1).
    """
    if root.tag != f"{{{BASE}}}hello" or root.find(f"{{{BASE}}}session-id") is not None:
        raise MalformedError("no hello of a client")
    found = root.iterfind(f"{{{BASE}}}capabilities/{{{BASE}}}capability")
    return frozenset((one.text or "").strip() for one in found)


def read_rpc(root: Element) -> Request:
    """The request in an element rpc.

    Raises:
        MalformedError: it is no rpc. RpcError: it lacks message-id or its one operation.
    """
    if root.tag != f"{{{BASE}}}rpc":
        raise MalformedError(f"no rpc: {root.tag!r}")
    children = [one for one in root if isinstance(one.tag, str)]
    if "message-id" not in root.attrib:
        info = {"bad-attribute": "message-id", "bad-element": "rpc"}
        raise RpcError("missing-attribute", "rpc without message-id", error_type="rpc", info=info)
    if len(children) != 1:
        raise RpcError("missing-element", "rpc holds one operation", error_type="rpc")
    return Request({str(key): str(value) for key, value in root.attrib.items()}, children[0])


def capabilities(model: Model, profile: Profile) -> list[str]:
    """What a hello announces."""
    basic, *others = DEFAULT_MODES
    confirmed = profile.confirmed
    has = {
        BASE_1_0: True,
        BASE_1_1: profile.chunked,
        f"{_CAPABILITY}:writable-running:1.0": profile.writable_running,
        f"{_CAPABILITY}:candidate:1.0": profile.candidate,
        f"{_CAPABILITY}:confirmed-commit:{confirmed}": bool(confirmed),
        f"{_CAPABILITY}:rollback-on-error:1.0": profile.rollback_on_error,
        f"{_CAPABILITY}:validate:1.0": profile.validate,
        f"{_CAPABILITY}:validate:1.1": profile.validate and profile.chunked,
        f"{_CAPABILITY}:startup:1.0": profile.startup,
        f"{_CAPABILITY}:notification:1.0": profile.notifications,
        f"{_CAPABILITY}:interleave:1.0": profile.notifications and profile.interleave,
        f"{_CAPABILITY}:with-defaults:1.0?basic-mode={basic}&also-supported={','.join(others)}": (
            profile.with_defaults
        ),
        f"{_CAPABILITY}:yang-library:1.1?revision=2019-01-04&content-id={model.content_id}": profile.nmda,
        f"{_CAPABILITY}:yang-library:1.0?revision=2016-06-21&module-set-id={model.content_id}": (
            not profile.nmda
        ),
    }
    modules = (
        f"{model.namespaces[name]}?module={name}&revision={model.revisions[name]}"
        for name in model.implemented
        if profile.nmda or name != _NMDA
    )
    return [*(name for name, there in has.items() if there), *modules]


def hello(model: Model, profile: Profile, session_id: int) -> bytes:
    """A server's hello."""
    root = etree.Element(f"{{{BASE}}}hello", nsmap={None: BASE})
    inside = etree.SubElement(root, f"{{{BASE}}}capabilities")
    for capability in capabilities(model, profile):
        etree.SubElement(inside, f"{{{BASE}}}capability").text = capability
    etree.SubElement(root, f"{{{BASE}}}session-id").text = str(session_id)
    return as_bytes(root)


def reply(attributes: dict[str, str], body: Iterable[Element]) -> Element:
    """An rpc-reply; without a body it says ok."""
    root = etree.Element(f"{{{BASE}}}rpc-reply", attrib=attributes, nsmap={None: BASE})
    inside = list(body)
    if inside:
        root.extend(inside)
    else:
        etree.SubElement(root, f"{{{BASE}}}ok")
    return root


def rpc_error(model: Model, error: RpcError, severity: str = "error") -> Element:
    """An error as the body of a reply (RFC 6241 section 4.3)."""
    root = etree.Element(f"{{{BASE}}}rpc-error", nsmap={None: BASE})

    def add(name: str, text: str, names: dict[str | None, str] | None = None) -> None:
        etree.SubElement(root, f"{{{BASE}}}{name}", nsmap=names).text = text

    add("error-type", error.error_type)
    add("error-tag", error.tag)
    add("error-severity", severity)
    if error.app_tag:
        add("error-app-tag", error.app_tag)
    if error.path:
        try:
            text, names = prefixed_path(model, parse_path(model, error.path))
            add("error-path", text, names)
        except PathError:
            add("error-path", error.path)
    if error.message:
        # Not every character of a message of ours may stand in XML.
        add("error-message", re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd]", "?", error.message))
    if error.info:
        info = etree.SubElement(root, f"{{{BASE}}}error-info")
        for name, text in error.info.items():
            etree.SubElement(info, f"{{{BASE}}}{name}").text = text
    return root


def as_bytes(root: Element) -> bytes:
    """An element as a document."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
