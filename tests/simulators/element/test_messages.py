"""Messages of NETCONF as XML."""

import pytest
from lxml import etree

from simulators.element.datastores import PROFILES
from simulators.element.errors import RpcError
from simulators.element.messages import (
    MalformedError,
    as_bytes,
    capabilities,
    hello,
    parse,
    read_hello,
    read_rpc,
    reply,
    rpc_error,
)
from simulators.element.model import Model
from tests.support.element_clients import BASE, GE0

CAPABILITY = "urn:ietf:params:netconf:capability"


@pytest.mark.parametrize(
    ("profile", "has", "lacks"),
    [
        (
            "candidate",
            ["candidate:1.0", "confirmed-commit:1.1", "validate:1.1"],
            ["startup:1.0", "writable-running:1.0"],
        ),
        (
            "writable-running",
            ["writable-running:1.0", "startup:1.0"],
            ["candidate:1.0", "confirmed-commit:1.1"],
        ),
        (
            "confirmed-1.0",
            ["confirmed-commit:1.0"],
            ["confirmed-commit:1.1", "interleave:1.0", "validate:1.1"],
        ),
        ("no-persist", ["confirmed-commit:1.0", "interleave:1.0"], ["confirmed-commit:1.1"]),
    ],
)
def test_a_hello_announces_what_the_profile_can(
    model: Model, profile: str, has: list[str], lacks: list[str]
) -> None:
    announced = capabilities(model, PROFILES[profile])
    assert {f"{CAPABILITY}:{name}" for name in has} <= set(announced)
    assert not {f"{CAPABILITY}:{name}" for name in lacks} & set(announced)
    assert ("urn:ietf:params:netconf:base:1.1" in announced) == (profile != "confirmed-1.0")
    assert any(one.startswith("urn:ietf:params:xml:ns:yang:ietf-interfaces?module=") for one in announced)
    assert b"<session-id>7</session-id>" in hello(model, PROFILES[profile], 7)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"no xml",
        b"<a>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        b"\xff\xfe\x00",
        b"<a/><b/>",
    ],
)
def test_what_is_no_xml_or_has_a_document_type_is_refused(message: bytes) -> None:
    with pytest.raises(MalformedError):
        parse(message)


def test_a_hello_with_a_session_id_is_none_of_a_client() -> None:
    text = f'<hello xmlns="{BASE}"><capabilities/><session-id>1</session-id></hello>'
    with pytest.raises(MalformedError):
        read_hello(parse(text.encode()))


@pytest.mark.parametrize(
    ("inside", "step"),
    [
        ("<get/>", "get"),
        ("<commit/>", "commit plain"),
        ("<commit><confirmed/></commit>", "commit confirmed"),
        ("<commit><confirmed/><persist-id>x</persist-id></commit>", "commit confirmed"),
        ("<commit><persist-id>x</persist-id></commit>", "commit confirming"),
    ],
)
def test_a_request_is_a_step_of_its_operation(inside: str, step: str) -> None:
    request = read_rpc(parse(f'<rpc xmlns="{BASE}" message-id="7" other="o">{inside}</rpc>'.encode()))
    assert request.step == step
    assert request.attributes == {"message-id": "7", "other": "o"}


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        (f'<rpc xmlns="{BASE}"><get/></rpc>', "missing-attribute"),
        (f'<rpc xmlns="{BASE}" message-id="1"/>', "missing-element"),
        (f'<rpc xmlns="{BASE}" message-id="1"><get/><get/></rpc>', "missing-element"),
    ],
)
def test_a_request_without_its_parts_is_refused(text: str, tag: str) -> None:
    with pytest.raises(RpcError) as caught:
        read_rpc(parse(text.encode()))
    assert caught.value.tag == tag


def test_a_reply_says_ok_or_what_it_has() -> None:
    assert b"<ok/>" in as_bytes(reply({"message-id": "1"}, []))
    assert b"<ok/>" not in as_bytes(reply({"message-id": "1"}, [etree.Element("data")]))


def test_an_error_has_the_fields_of_the_standard(model: Model) -> None:
    error = RpcError(
        "invalid-value",
        "so \x00 so",
        app_tag="too-big",
        path=f"{GE0}/enabled",
        info={"bad-element": "enabled"},
    )
    xml = rpc_error(model, error)
    got = {etree.QName(one).localname: one.text for one in xml}
    assert got["error-type"] == "application"
    assert got["error-tag"] == "invalid-value"
    assert got["error-severity"] == "error"
    assert got["error-app-tag"] == "too-big"
    assert got["error-path"] == "/if:interfaces/if:interface[if:name='ge-0']/if:enabled"
    assert got["error-message"] == "so ? so"
    assert xml.findtext(f"{{{BASE}}}error-info/{{{BASE}}}bad-element") == "enabled"
