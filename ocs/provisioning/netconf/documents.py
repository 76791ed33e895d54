"""Reading and writing XML that comes from, and goes to, somebody whom we need not trust. Pure."""

from typing import Final, TypeAlias

from lxml import etree

# lxml gives its class no public name.
XmlElement: TypeAlias = etree._Element  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

# RFC 6241 section 3.1.
NETCONF: Final = "urn:ietf:params:xml:ns:netconf:base:1.0"
_DIGITS_MAX: Final = 10


class DocumentError(Exception):
    """What came is no XML, or XML with what NETCONF forbids."""


def parse_document(octets: bytes) -> XmlElement:
    """Read a document: no entities, nothing from the network, no DTD (RFC 6241 section 3.3), bounded depth.

    The caller has bounded its length.

    Raises:
        DocumentError: it cannot be used; says where.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(octets.lstrip(), parser)
    except etree.XMLSyntaxError as error:
        raise DocumentError(f"no XML: {' '.join(str(error.msg).split())}") from None
    if root.getroottree().docinfo.doctype:
        raise DocumentError("a document type declaration, which NETCONF forbids")
    return root


def write_document(root: XmlElement) -> bytes:
    """A document as it is sent."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def pretty(root: XmlElement) -> str:
    """A document for people."""
    etree.indent(root, "  ")
    return etree.tostring(root, encoding="unicode")


def element(
    namespace: str, name: str, text: str | None = None, *, prefixes: dict[str | None, str] | None = None
) -> XmlElement:
    """A new element whose default namespace is its own."""
    made = etree.Element(f"{{{namespace}}}{name}", nsmap={None: namespace, **(prefixes or {})})
    made.text = text
    return made


def child(
    parent: XmlElement,
    namespace: str,
    name: str,
    text: str | None = None,
    *,
    prefixes: dict[str | None, str] | None = None,
) -> XmlElement:
    """A new element at the end of another."""
    nsmap = dict(prefixes or {})
    if parent.nsmap.get(None) != namespace:
        nsmap[None] = namespace
    made = etree.SubElement(parent, f"{{{namespace}}}{name}", nsmap=nsmap or None)
    made.text = text
    return made


def names_of(item: XmlElement) -> tuple[str, str]:
    """Namespace and local name of an element; both empty for what is none, such as a reference to an entity."""
    tag: object = item.tag
    if not isinstance(tag, str):
        return "", ""
    namespace, _, name = tag.rpartition("}")
    return namespace.removeprefix("{"), name


def find(item: XmlElement, *names: str) -> XmlElement | None:
    """What lies below by some names of NETCONF's namespace."""
    found: XmlElement | None = item
    for name in names:
        if found is None:
            return None
        found = found.find(f"{{{NETCONF}}}{name}")
    return found


def text_of(item: XmlElement | None) -> str:
    """The text of an element without blanks around it; empty without one."""
    return "" if item is None else (item.text or "").strip()


def is_number(text: str) -> bool:
    """Whether a text is an unsigned number of at most 32 bits' digits; other digits than ours are none to Python."""
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
