"""edit-config on a tree (RFC 6241 section 7.2)."""

from typing import Any

import pytest
from lxml import etree

from simulators.element.edits import edited
from simulators.element.errors import Condition, ConditionError, RpcError
from simulators.element.model import Model
from simulators.element.tree import flatten, with_path
from tests.support.element_clients import (
    FIRST,
    GE0,
    HOSTNAME,
    INTERFACES,
    SYSTEM,
    config,
    hostname,
    interface,
)

NC = 'xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation='
YANG = 'xmlns:y="urn:ietf:params:xml:ns:yang:1"'
SEARCH = "/ietf-system:system/dns-resolver/search"
TYPE = '<type xmlns:i="urn:ietf:params:xml:ns:yang:iana-if-type">i:ethernetCsmacd</type>'


def after(model: Model, text: str, default: str = "merge", before: dict[str, str] | None = None) -> Any:
    tree: Any = {}
    for path, value in (FIRST if before is None else before).items():
        tree = with_path(model, tree, path, value)
    return flatten(model, edited(model, tree, etree.fromstring(text), default))


def search(*entries: str) -> str:
    inside = "".join(entries)
    return config(f'<system xmlns="{SYSTEM}"><dns-resolver>{inside}</dns-resolver></system>')


def test_merge_adds_and_overwrites(model: Model) -> None:
    got = after(model, interface("ge-0", "<description>new</description>"))
    assert got == {**FIRST, GE0: None, f"{GE0}/description": "new"}


def test_replace_of_an_entry_takes_away_what_is_not_sent(model: Model) -> None:
    got = after(model, interface("ge-0", TYPE, f'{NC}"replace"'))
    assert f"{GE0}/description" not in got
    assert got[HOSTNAME] == "pe1"


def test_default_operation_replace_leaves_only_what_is_sent(model: Model) -> None:
    assert after(model, hostname("alone"), "replace") == {HOSTNAME: "alone"}


def test_default_operation_none_changes_only_what_says_so(model: Model) -> None:
    assert after(model, hostname("x"), "none")[HOSTNAME] == "pe1"
    got = after(model, interface("ge-0", f'<description {NC}"remove"/>'), "none")
    assert got == {HOSTNAME: "pe1", GE0: None, f"{GE0}/type": FIRST[f"{GE0}/type"]}
    with pytest.raises(RpcError, match="not there"):
        after(model, interface("ge-9", f'<description {NC}"remove"/>'), "none")


def test_create_of_what_is_there_is_refused(model: Model) -> None:
    with pytest.raises(ConditionError) as caught:
        after(model, hostname("y", f'{NC}"create"'))
    assert caught.value.condition is Condition.DATA_EXISTS
    assert caught.value.path == HOSTNAME
    assert after(model, hostname("y", f'{NC}"create"'), before={}) == {HOSTNAME: "y"}


def test_delete_of_what_is_not_there_is_refused_and_remove_is_not(model: Model) -> None:
    with pytest.raises(RpcError) as caught:
        after(model, interface("ge-9", attributes=f'{NC}"delete"'))
    assert caught.value.tag == "data-missing"
    assert after(model, interface("ge-9", attributes=f'{NC}"remove"')) == {**FIRST, GE0: None}
    assert after(model, interface("ge-0", attributes=f'{NC}"delete"')) == {HOSTNAME: "pe1"}


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        (config('<system xmlns="urn:no-such"/>'), Condition.UNKNOWN_NAMESPACE),
        (config(f'<system xmlns="{SYSTEM}"><no-such/></system>'), "unknown-element"),
        (config(f'<interfaces xmlns="{INTERFACES}"><interface/></interfaces>'), "missing-element"),
        (interface("ge-0", "<enabled>maybe</enabled>"), Condition.BAD_VALUE),
        (interface("ge-0", "<enabled><true/></enabled>"), "bad-element"),
        (interface("ge-0", "<oper-status>up</oper-status>"), "unknown-element"),
        (hostname("x", f'{NC}"destroy"'), "bad-attribute"),
        (config(f'<system xmlns="{SYSTEM}">text</system>'), "bad-element"),
    ],
)
def test_what_the_model_does_not_know_is_refused_with_the_standard_s_tag(
    model: Model, text: str, tag: Any
) -> None:
    with pytest.raises((RpcError, ConditionError)) as caught:
        after(model, text)
    error = caught.value
    assert (error.condition if isinstance(error, ConditionError) else error.tag) == tag


def test_leaf_lists_take_and_lose_single_values(model: Model) -> None:
    three = after(model, search("<search>a</search>", "<search>b</search>", "<search>a</search>"))
    assert [path for path in three if path.startswith(SEARCH)] == [f"{SEARCH}[.='a']", f"{SEARCH}[.='b']"]
    tree: Any = {}
    for value in "ab":
        tree = with_path(model, tree, f"{SEARCH}[.='{value}']", None)
    left = edited(model, tree, etree.fromstring(search(f'<search {NC}"delete">a</search>')))
    assert flatten(model, left) == {f"{SEARCH}[.='b']": None}


@pytest.mark.parametrize(
    ("attributes", "order"),
    [
        ('y:insert="first"', "cab"),
        ('y:insert="last"', "abc"),
        ('y:insert="before" y:value="b"', "acb"),
        ('y:insert="after" y:value="a"', "acb"),
    ],
)
def test_the_user_s_order_is_kept(model: Model, attributes: str, order: str) -> None:
    tree: Any = {}
    for value in "ab":
        tree = with_path(model, tree, f"{SEARCH}[.='{value}']", None)
    text = search(f"<search {YANG} {attributes}>c</search>")
    got = flatten(model, edited(model, tree, etree.fromstring(text)))
    assert list(got) == [f"{SEARCH}[.='{value}']" for value in order]


def test_an_entry_put_beside_one_that_is_not_there_is_refused(model: Model) -> None:
    text = search(f'<search {YANG} y:insert="after" y:value="z">c</search>')
    with pytest.raises(RpcError) as caught:
        after(model, text)
    assert caught.value.app_tag == "missing-instance"
