"""XML from strangers."""

import pytest

from ocs.provisioning.netconf.documents import (
    DocumentError,
    child,
    element,
    names_of,
    parse_document,
    pretty,
    text_of,
    write_document,
)


def test_what_is_written_is_read() -> None:
    root = element("urn:a", "root")
    child(root, "urn:a", "same", "t<&>")
    child(root, "urn:b", "other", " x ")
    again = parse_document(write_document(root))
    assert [names_of(item) for item in again] == [("urn:a", "same"), ("urn:b", "other")]
    assert text_of(again[0]) == "t<&>"
    assert text_of(again[1]) == "x"
    assert text_of(None) == ""
    assert "\n  <same>" in pretty(root)


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"<a>", b"<a/><b/>", b"\xff<a/>", b"<a><b></a></b>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 300 + b"</a>" * 300,
    ],
)  # fmt: skip
def test_what_is_no_XML_or_holds_a_DTD_is_refused(octets: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_document(octets)


def test_a_billion_laughs_are_not_laughed() -> None:
    lines = [b'<!ENTITY a0 "ha">'] + [
        b'<!ENTITY a%d "%b">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
    ]
    with pytest.raises(DocumentError):
        parse_document(b"<!DOCTYPE a [" + b"".join(lines) + b"]><a>&a9;</a>")


def test_comments_and_instructions_are_passed_over() -> None:
    root = parse_document(b"\n<?xml version='1.0'?><a><!-- x --><?pi y?><b/></a>")
    assert [names_of(item) for item in root] == [("", "b")]
