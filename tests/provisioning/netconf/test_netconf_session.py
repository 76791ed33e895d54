"""What is asked of an element, by what its hello says; `operations` as they go out, `changes` as they come in."""

from collections.abc import Sequence

import pytest

from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.credentials import Secrets
from ocs.provisioning.element_type import NetconfDescription
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.netconf.documents import NETCONF, XmlElement, names_of
from ocs.provisioning.netconf.framing import frame
from ocs.provisioning.netconf.netconf_session import native
from tests.support.elements import ethernet, interface, standard_schema
from tests.support.scripted_element import CANDIDATE, RUNNING, ScriptedElement, error, opened, spoken

A = interface("a")
CHANGE = ConfigurationDiff(ethernet("a"))
DATA = (
    "<data><interfaces xmlns='urn:ietf:params:xml:ns:yang:ietf-interfaces'><interface><name>a</name>"
    "<description>x</description><enabled>true</enabled></interface></interfaces></data>"
)


class Faults:
    """Answers of an element by what it is asked, in words; whatever is not named gets its due."""

    def __init__(self, **answers: str | Sequence[str]) -> None:
        self._answers = {key.replace("_", " "): answer for key, answer in answers.items()}
        self._seen: dict[str, int] = {}

    def __call__(self, operation: XmlElement) -> str:
        words = spoken(operation).replace("-", " ")
        key = next((key for key in self._answers if words.startswith(key)), "")
        if not key:
            return DATA if words.startswith("get") else "<ok/>"
        answer = self._answers[key]
        if isinstance(answer, str):
            return answer
        self._seen[key] = self._seen.get(key, -1) + 1
        return answer[min(self._seen[key], len(answer) - 1)]


async def test_a_change_by_the_book_goes_over_a_locked_and_clean_candidate() -> None:
    element = ScriptedElement()
    session = await opened(element)
    await session.begin()
    await session.stage(CHANGE)
    await session.validate()
    await session.commit_confirmed("t1", 120)
    await session.release()
    assert await session.confirm("t1")
    await session.close()
    assert element.said == [
        "lock running", "lock candidate", "discard-changes", "edit-config candidate error-option=rollback-on-error",
        "validate candidate", "commit confirm-timeout=120 persist=t1", "unlock candidate", "unlock running",
        "commit persist-id=t1", "close-session",
    ]  # fmt: skip


async def test_what_is_abandoned_is_discarded_before_others_are_let_in() -> None:
    element = ScriptedElement()
    session = await opened(element)
    await session.begin()
    await session.stage(CHANGE)
    await session.abandon()
    assert element.said[-3:] == ["discard-changes", "unlock candidate", "unlock running"]
    await session.abandon()
    assert len(element.said) == 7, "harmless when nothing was begun"


@pytest.mark.parametrize("tag", ["resource-denied", "operation-failed"])
async def test_a_dirty_candidate_is_discarded_and_locked_then(tag: str) -> None:
    element = ScriptedElement(script=Faults(lock_candidate=[error(tag), "<ok/>"]))
    session = await opened(element)
    await session.begin()
    assert element.said == [
        "lock running",
        "lock candidate",
        "discard-changes",
        "lock candidate",
        "discard-changes",
    ]


async def test_a_candidate_under_somebody_s_lock_is_left_alone() -> None:
    element = ScriptedElement(script=Faults(lock_candidate=error("lock-denied", session_id=9)))
    session = await opened(element)
    with pytest.raises(ElementError) as denied:
        await session.begin()
    assert (denied.value.fault, denied.value.holder, denied.value.tag) == (
        ElementFault.BUSY,
        9,
        "lock-denied",
    )
    assert "session 9" in str(denied.value)
    assert element.said == ["lock running", "lock candidate", "unlock running"]


async def test_a_lock_that_is_held_outside_NETCONF_is_told() -> None:
    session = await opened(ScriptedElement(script=Faults(lock=error("lock-denied", session_id=0))))
    with pytest.raises(ElementError, match="outside NETCONF") as denied:
        await session.begin()
    assert denied.value.holder == 0


async def test_without_a_candidate_changes_collect_and_run_in_one_edit() -> None:
    element = ScriptedElement((*RUNNING, "validate:1.1", "startup:1.0"))
    session = await opened(element)
    assert not session.abilities.candidate
    assert not session.abilities.confirmed
    await session.begin()
    await session.stage(ConfigurationDiff(ethernet("a", "old") | ethernet("b")))
    await session.stage(ConfigurationDiff({A + "/enabled": "true"}, (A + "/description", interface("b"))))
    assert element.said == ["lock running"]
    await session.validate()
    await session.commit()
    await session.release()
    assert element.said[1:] == [
        "edit-config running test-option=test-only error-option=rollback-on-error",
        "edit-config running test-option=test-then-set error-option=rollback-on-error",
        "copy-config startup running",
        "unlock running",
    ]
    sent = "".join(element.asked[2].itertext())
    assert "old" not in sent
    removed = [names_of(item)[1] for item in element.asked[2].iter() if item.get(f"{{{NETCONF}}}operation")]
    assert removed == ["description", "interface"]


async def test_what_is_abandoned_without_a_candidate_was_never_sent() -> None:
    element = ScriptedElement(RUNNING)
    session = await opened(element)
    await session.begin()
    await session.stage(CHANGE)
    await session.abandon()
    await session.commit()
    assert element.said == ["lock running", "unlock running"]


async def test_options_are_sent_only_to_who_has_them() -> None:
    element = ScriptedElement(["candidate:1.0"])
    session = await opened(element)
    await session.stage(CHANGE)
    await session.validate()
    await session.commit()
    assert element.said == ["edit-config candidate", "commit"]
    with pytest.raises(ElementError) as refused:
        await session.commit_confirmed("t", 60)
    assert refused.value.fault is ElementFault.UNSUPPORTED


async def test_who_has_no_remove_is_asked_to_delete_what_is_there() -> None:
    element = ScriptedElement(script=Faults(), base=["1.0"])
    session = await opened(element)
    await session.stage(ConfigurationDiff({}, (A + "/description", interface("b"))))
    assert [line.split()[0] for line in element.said] == ["get-config", "edit-config"]
    operations = [item.get(f"{{{NETCONF}}}operation") for item in element.asked[1].iter()]
    assert [one for one in operations if one] == ["delete"]


async def test_a_confirmed_commit_of_1_0_is_confirmed_in_its_session_and_cancelled_by_its_end() -> None:
    element = ScriptedElement(["candidate:1.0", "confirmed-commit:1.0"])
    session = await opened(element)
    assert session.abilities.confirmed
    assert not session.abilities.persistent
    await session.commit_confirmed("t", 60)
    assert await session.confirm("t")
    assert await session.cancel("t")
    assert element.said == ["commit confirm-timeout=60", "commit", "close-session"]
    with pytest.raises(ElementError):
        await session.read()


@pytest.mark.parametrize("tag", ["invalid-value", "operation-failed", "bad-element"])
async def test_a_confirmation_that_comes_too_late_is_no_error(tag: str) -> None:
    session = await opened(ScriptedElement(script=Faults(commit=error(tag), cancel=error(tag))))
    assert not await session.confirm("gone")
    assert not await session.cancel("gone")


async def test_a_confirmation_that_cannot_be_taken_now_is_an_error() -> None:
    session = await opened(ScriptedElement(script=Faults(commit=error("in-use"))))
    with pytest.raises(ElementError) as busy:
        await session.confirm("t")
    assert busy.value.is_retryable


async def test_what_is_distrusted_is_not_used() -> None:
    element = ScriptedElement((*CANDIDATE, "startup:1.0", "notification:1.0"))
    distrusted = ("validate", "confirmed-commit", "rollback-on-error", "startup", "notification")
    session = await opened(element, NetconfDescription(modules=("ietf-interfaces",), distrusted=distrusted))
    assert not (session.abilities.validates or session.abilities.confirmed or session.abilities.notifies)
    await session.stage(CHANGE)
    await session.validate()
    await session.commit()
    assert element.said == ["edit-config candidate", "commit"]
    element = ScriptedElement((*CANDIDATE, "writable-running:1.0"))
    session = await opened(
        element, NetconfDescription(modules=("ietf-interfaces",), distrusted=("candidate",))
    )
    await session.stage(CHANGE)
    await session.commit()
    assert element.said == ["edit-config running test-option=test-then-set error-option=rollback-on-error"]


async def test_a_warning_is_no_error() -> None:
    warning = error("operation-failed").replace(">error<", ">warning<")
    session = await opened(ScriptedElement(script=Faults(commit=f"{warning}<ok/>")))
    await session.commit()


async def test_errors_name_element_operation_place_and_how_many_there_are() -> None:
    path = (
        "<error-path xmlns:x='urn:ietf:params:xml:ns:yang:ietf-interfaces' xmlns:nc='urn:ietf:params:xml:ns:netconf:"
        'base:1.0\'>/nc:rpc/nc:edit-config/nc:config/x:interfaces/x:interface[x:name="a"]/x:type</error-path>'
    )
    several = error("in-use") + error("bad-element", more=path) + error("bad-element")
    session = await opened(ScriptedElement(script=Faults(edit=several)))
    with pytest.raises(ElementError) as refused:
        await session.stage(CHANGE)
    assert refused.value.path == A + "/type"
    assert refused.value.fault is ElementFault.REQUEST
    assert str(refused.value) == f"box: edit-config at {A}/type: bad-element (and 2 more)"


@pytest.mark.parametrize(
    ("diff", "path", "words"),
    [
        (ConfigurationDiff({"/vendor:x": "1"}), "/vendor:x", "no module vendor"),
        (ConfigurationDiff({A + "/enabled": "maybe"}), A + "/enabled", "boolean"),
        (ConfigurationDiff({}, (A + "/nothing",)), A + "/nothing", "nothing"),
        (ConfigurationDiff({A + "/description": "secret:gone"}), A + "/description", "gone"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_sent(
    diff: ConfigurationDiff, path: str, words: str
) -> None:
    element = ScriptedElement()
    session = await opened(element)
    with pytest.raises(ElementError) as refused:
        await session.stage(diff)
    assert refused.value.fault in {ElementFault.UNSUPPORTED, ElementFault.REQUEST}
    assert (refused.value.path, element.said) == (path, [])
    assert words in refused.value.reason


async def test_secrets_go_out_in_clear_come_back_as_names_and_are_never_shown() -> None:
    secrets = Secrets({"radius": "s3cr3ts3cr3t"})
    answer = DATA.replace(">x<", ">s3cr3ts3cr3t<")
    element = ScriptedElement(script=Faults(get=answer))
    session = await opened(element, secrets=secrets)
    diff = ConfigurationDiff({A + "/description": "secret:radius"})
    await session.stage(diff)
    assert "s3cr3ts3cr3t" in "".join(element.asked[0].itertext())
    assert await session.read([A + "/description"]) == diff.set
    for shown in (session.native(diff), native(diff, standard_schema())):
        assert "secret:radius" in shown
        assert "s3cr3ts3cr3t" not in shown


MODES = "with-defaults:1.0?basic-mode="


@pytest.mark.parametrize(
    ("capability", "asked", "found"),
    [
        (f"{MODES}explicit", "", {A + "/enabled": "true"}),
        (f"{MODES}report-all&also-supported=trim,explicit", "explicit", {A + "/enabled": "true"}),
        # Told apart they cannot be: what was asked for by name stands, what is as it would be anyway does not.
        (f"{MODES}report-all", "", {}),
    ],
)
async def test_defaults_are_reported_as_far_as_somebody_set_them(
    capability: str, asked: str, found: dict[str, str]
) -> None:
    element = ScriptedElement([capability], Faults())
    session = await opened(element)
    assert await session.read([A]) == {A: None, A + "/description": "x"} | found
    assert element.said == [f"get-config running {f'with-defaults={asked}' if asked else ''}".strip()]
    assert await session.read([A + "/enabled"]) == {A + "/enabled": "true"}


async def test_a_default_that_was_asked_for_and_is_trimmed_stands() -> None:
    trimmed = DATA.replace("<enabled>true</enabled>", "")
    element = ScriptedElement([f"{MODES}trim"], Faults(get=trimmed))
    session = await opened(element)
    assert await session.read([A, A + "/enabled"]) == {
        A: None,
        A + "/description": "x",
        A + "/enabled": "true",
    }
    assert await session.read([A]) == {A: None, A + "/description": "x"}


async def test_state_is_asked_for_by_get_data_where_there_is_one() -> None:
    nmda = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda?module=ietf-netconf-nmda"
    inside = DATA.replace("<data>", "<data xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-nmda'>")
    inside = inside.replace("<enabled>true</enabled>", "<oper-status>up</oper-status>")
    element = ScriptedElement([nmda], Faults(get=inside))
    session = await opened(element)
    assert await session.read_state([A + "/oper-status"]) == {A + "/oper-status": "up"}
    (asked,) = element.asked
    assert names_of(asked)[1] == "get-data"
    assert asked[0].text == "ds:operational"
    assert asked[0].nsmap["ds"] == "urn:ietf:params:xml:ns:yang:ietf-datastores"
    older = ScriptedElement(script=Faults(get=inside))
    assert await (await opened(older)).read_state([A + "/oper-status"]) == {A + "/oper-status": "up"}
    assert older.said == ["get"]


async def test_our_own_session_is_never_killed() -> None:
    element = ScriptedElement()
    session = await opened(element)
    with pytest.raises(ElementError, match="our own"):
        await session.kill(5)
    assert element.said == []
    assert await session.kill(6)
    assert element.said == ["kill-session session-id=6"]


def told(inside: str) -> bytes:
    return frame(
        "<notification xmlns='urn:ietf:params:xml:ns:netconf:notification:1.0'><eventTime>2026-01-01T00:00:00Z"
        f"</eventTime>{inside}</notification>".encode(),
        is_chunked=True,
    )


CHANGED = (
    "<netconf-config-change xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-notifications'><changed-by>{by}</changed-by>"
    "<datastore>{datastore}</datastore><edit><target xmlns:if='urn:ietf:params:xml:ns:yang:ietf-interfaces'>"
    "/if:interfaces/if:interface[if:name='a']</target><operation>merge</operation></edit></netconf-config-change>"
)


async def test_only_changes_of_what_runs_are_told_with_who_and_where() -> None:
    element = ScriptedElement((*CANDIDATE, "notification:1.0"))
    session = await opened(element)
    element.give(
        told("<netconf-session-start xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-notifications'/>")
    )
    element.give(told(CHANGED.format(by="<server/>", datastore="startup")))
    element.give(
        told(CHANGED.format(by="<username>bob</username><session-id>7</session-id>", datastore="running"))
    )
    element.give(told(CHANGED.format(by="<server/>", datastore="running")))
    changes = session.changes()
    first, second = await anext(changes), await anext(changes)
    await changes.aclose()
    assert (first.session_id, first.user, first.paths, first.at) == (7, "bob", (A,), "2026-01-01T00:00:00Z")
    assert (second.session_id, second.user) == (0, "")
    assert element.said == ["create-subscription"]


async def test_who_does_not_tell_of_changes_is_not_asked_to() -> None:
    element = ScriptedElement()
    session = await opened(element)
    with pytest.raises(ElementError) as refused:
        await anext(session.changes())
    assert refused.value.fault is ElementFault.UNSUPPORTED


async def test_a_module_that_the_hello_does_not_list_is_not_written_to() -> None:
    listed = "urn:ietf:params:xml:ns:yang:ietf-system?module=ietf-system"
    session = await opened(ScriptedElement((*CANDIDATE, listed)))
    with pytest.raises(ElementError, match="no module ietf-interfaces") as refused:
        await session.stage(CHANGE)
    assert refused.value.fault is ElementFault.UNSUPPORTED
    unlisted = await opened(ScriptedElement((*CANDIDATE, listed, "yang-library:1.1?content-id=1")))
    await unlisted.stage(CHANGE)


async def test_yang_is_fetched() -> None:
    monitoring = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"
    element = ScriptedElement(script=Faults(get=f"<data xmlns='{monitoring}'>module x {{ }}</data>"))
    session = await opened(element)
    assert await session.yang("x", "2020-01-01") == "module x { }"
    assert [item.text for item in element.asked[0]] == ["x", "2020-01-01", "yang"]


async def test_secret_that_an_element_repeats_in_its_error_is_told_by_its_name() -> None:
    secrets = Secrets({"key": "longenough1"})
    told = error("invalid-value", more="<error-message>bad value 'longenough1'</error-message>")
    session = await opened(ScriptedElement(script=Faults(edit_config=told)), secrets=secrets)
    with pytest.raises(ElementError) as refused:
        await session.stage(ConfigurationDiff({**ethernet("a"), f"{A}/description": "secret:key"}))
    assert "bad value 'secret:key'" in str(refused.value)
    assert "longenough1" not in str(refused.value)


async def test_secret_that_xml_does_not_take_is_refused_by_its_name() -> None:
    session = await opened(ScriptedElement(), secrets=Secrets({"key": "longenough\x01"}))
    with pytest.raises(ElementError, match="secret key: expected characters") as refused:
        await session.stage(ConfigurationDiff({**ethernet("a"), f"{A}/description": "secret:key"}))
    assert refused.value.fault is ElementFault.REQUEST
