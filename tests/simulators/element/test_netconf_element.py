"""The NETCONF server judged by ncclient: operations, state, notices, and what tests do to an element."""

from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from ncclient.operations import RPCError
from ncclient.xml_ import to_ele

from ocs.inventory.model import Service
from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.element_type import load_element_types
from ocs.provisioning.netconf.netconf_session import native
from ocs.provisioning.schema.yang import load_schema
from ocs.provisioning.services.vpn_site import VpnSite
from simulators.element.errors import Dialect
from simulators.element.model import Model
from simulators.element.park import Park
from tests.support.described_network import DescribedNetwork
from tests.support.element_clients import (
    BASE,
    ETHERNET,
    FIRST,
    GE0,
    HOSTNAME,
    INTERFACES,
    SYSTEM,
    client,
    config,
    hostname,
    interface,
)
from tests.support.elements import TYPES, YANG
from tests.support.service_lab import VPN_SITE

PORT = "/ietf-interfaces:interfaces/interface[name='ge-0/0/1']"
MONITORING = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"
LIBRARY = "urn:ietf:params:xml:ns:yang:ietf-yang-library"
NMDA = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda"
EVENTS = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"
TYPE = '<type xmlns:i="urn:ietf:params:xml:ns:yang:iana-if-type">i:ethernetCsmacd</type>'
WHOLE = {**FIRST, GE0: None}


def refused(call: Any, *arguments: Any, **named: Any) -> Any:
    with pytest.raises(RPCError) as caught:
        call(*arguments, **named)
    return caught.value


# --- reading -----------------------------------------------------------------------------------------------------


def test_get_config_gives_what_stands(park: Park) -> None:
    with client(park.netconf("pe1", running=FIRST)) as session:
        data = session.get_config("running").data_ele
        assert data.findtext(f".//{{{SYSTEM}}}hostname") == "pe1"
        assert data.findtext(f".//{{{INTERFACES}}}description") == "to core"
        some = session.get_config("running", filter=("subtree", f'<system xmlns="{SYSTEM}"/>')).data_ele
        assert [child.tag for child in some] == [f"{{{SYSTEM}}}system"]


def test_get_tells_modules_schemas_sessions_and_what_state_it_was_given(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    element.set_state({f"{GE0}/oper-status": "up"})
    with client(element) as session, client(element):
        data = session.get().data_ele
    assert data.findtext(f".//{{{INTERFACES}}}oper-status") == "up"
    assert data.findtext(f".//{{{LIBRARY}}}content-id")
    assert len(data.findall(f".//{{{MONITORING}}}session")) == 2
    assert data.findall(f".//{{{LIBRARY}}}modules-state/{{{LIBRARY}}}module")
    names = [one.text for one in data.iterfind(f".//{{{MONITORING}}}schema/{{{MONITORING}}}identifier")]
    assert "ietf-snmp-target" in names


def test_get_schema_gives_the_module(park: Park, model: Model) -> None:
    with client(park.netconf("pe1")) as session:
        text = session.get_schema("ietf-interfaces", version=model.revisions["ietf-interfaces"]).data
        assert text.startswith("module ietf-interfaces")
        assert refused(session.get_schema, "no-such").tag == "invalid-value"


def test_with_defaults_in_its_four_modes(park: Park) -> None:
    running = {f"{GE0}/type": ETHERNET, f"{GE0}/enabled": "true"}
    with client(park.netconf("pe1", running=running)) as session:

        def enabled(mode: str) -> Any:
            data = session.get_config("running", with_defaults=mode).data_ele
            return data.find(f".//{{{INTERFACES}}}enabled")

        assert enabled("explicit") is not None
        assert enabled("trim") is None
        assert enabled("report-all") is not None
        assert enabled("report-all-tagged").attrib == {
            "{urn:ietf:params:xml:ns:netconf:default:1.0}default": "true"
        }


def test_an_xpath_filter_is_refused(park: Park) -> None:
    with client(park.netconf("pe1")) as session:
        xml = f'<get xmlns="{BASE}"><filter type="xpath" select="/x"/></get>'
        assert refused(session.rpc, to_ele(xml)).tag == "operation-not-supported"


def data_of(store: str, inside: str = "") -> Any:
    return to_ele(
        f'<get-data xmlns="{NMDA}" xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores">'
        f"<datastore>ds:{store}</datastore>{inside}</get-data>"
    )


def test_get_data_gives_a_datastore_by_its_identity(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    element.set_state({f"{GE0}/oper-status": "up"})
    element.dirty_candidate({HOSTNAME: "staged"})
    wanted = f'<subtree-filter><interfaces xmlns="{INTERFACES}"/></subtree-filter>'
    with client(element) as session:
        assert "staged" in session.rpc(data_of("candidate")).xml
        assert "staged" not in session.rpc(data_of("running")).xml
        operational = session.rpc(data_of("operational", wanted)).xml
        assert "<oper-status>up" in operational
        assert "<description>to core" in operational
        assert "hostname" not in operational
        only_config = session.rpc(data_of("operational", f"{wanted}<config-filter>true</config-filter>")).xml
        assert "oper-status" not in only_config
        assert refused(session.rpc, data_of("startup")).tag == "invalid-value"
        assert refused(session.rpc, data_of("running", "<max-depth>2</max-depth>")).tag == (
            "operation-not-supported"
        )


def test_edit_data_changes_a_datastore_that_may_be_written(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    edit = (
        f'<edit-data xmlns="{NMDA}" xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores">'
        f'<datastore>ds:{{}}</datastore><config><system xmlns="{SYSTEM}"><hostname>new</hostname></system></config>'
        "</edit-data>"
    )
    with client(element) as session:
        assert session.rpc(to_ele(edit.format("candidate"))).ok
        assert refused(session.rpc, to_ele(edit.format("operational"))).tag == "invalid-value"
        assert refused(session.rpc, to_ele(edit.format("running"))).tag == "operation-not-supported"
    assert element.candidate()[HOSTNAME] == "new"


def test_an_older_server_knows_neither_get_data_nor_the_newer_library(park: Park) -> None:
    with client(park.netconf("pe1", profile="confirmed-1.0")) as session:
        assert refused(session.rpc, data_of("running")).tag == "operation-not-supported"
        data = session.get().data_ele
        assert data.find(f".//{{{LIBRARY}}}modules-state") is not None
        assert data.find(f".//{{{LIBRARY}}}yang-library") is None
        assert not [one for one in session.server_capabilities if "nmda" in one or "library:1.1" in one]


# --- changing ----------------------------------------------------------------------------------------------------


def test_a_change_goes_through_the_candidate(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    with client(element) as session:
        with session.locked("candidate"):
            assert element.locks() == {"candidate": int(session.session_id)}
            session.discard_changes()
            session.edit_config(
                target="candidate",
                config=interface("ge-1", TYPE),
                error_option="rollback-on-error",
                test_option="test-then-set",
            )
            session.validate("candidate")
            assert element.running() == WHOLE
            session.commit()
        assert element.running() == {
            **WHOLE,
            GE0.replace("0", "1"): None,
            f"{GE0.replace('0', '1')}/type": ETHERNET,
        }
        assert element.locks() == {}


def test_a_refused_edit_leaves_nothing_half_done(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    bad = config(
        f'<system xmlns="{SYSTEM}"><hostname>changed</hostname></system>'
        f'<interfaces xmlns="{INTERFACES}"><interface><name>ge-0</name><enabled>maybe</enabled></interface></interfaces>'
    )
    with client(element) as session:
        error = refused(session.edit_config, target="candidate", config=bad)
        assert error.tag == "invalid-value"
        assert "enabled" in error.path
        assert not element.is_dirty()


def test_validate_finds_a_missing_mandatory_leaf(park: Park) -> None:
    with client(park.netconf("pe1", running=FIRST)) as session:
        session.edit_config(target="candidate", config=interface("ge-1"))
        error = refused(session.validate, "candidate")
        assert error.tag == "missing-element"
        assert "ge-1" in error.path
        inline = to_ele(f'<validate xmlns="{BASE}"><source>{hostname("x")}</source></validate>')
        assert session.rpc(inline).ok


def test_writable_running_with_startup(park: Park) -> None:
    element = park.netconf("pe1", profile="writable-running", running=FIRST)
    with client(element) as session:
        session.edit_config(target="running", config=hostname("new"))
        assert (element.running()[HOSTNAME], element.startup()[HOSTNAME]) == ("new", "pe1")
        session.copy_config(source="running", target="startup")
        assert element.startup()[HOSTNAME] == "new"
        assert refused(session.edit_config, target="candidate", config=hostname("x")).tag == "invalid-value"
        assert refused(session.delete_config, "running").tag == "operation-not-supported"
        session.delete_config("startup")
        assert element.startup() == {}


def test_copy_config_takes_a_whole_configuration(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    with client(element) as session:
        copy = f'<copy-config xmlns="{BASE}"><target><candidate/></target><source>{hostname("only")}</source></copy-config>'
        session.rpc(to_ele(copy))
        session.commit()
    assert element.running() == {HOSTNAME: "only"}


def test_a_confirmed_commit_is_confirmed_from_another_session_by_its_persist_id(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    with client(element) as session:
        session.edit_config(target="candidate", config=hostname("new"))
        session.commit(confirmed=True, timeout="600", persist="t1")
    assert (element.pending(), element.running()[HOSTNAME]) == ("t1", "new")
    with client(element) as session:
        assert refused(session.commit).tag == "in-use"
        assert refused(session.commit, persist_id="t2").tag == "invalid-value"
        session.commit(persist_id="t1")
    assert element.pending() is None
    assert not element.expire_confirmed_commit()
    assert element.running()[HOSTNAME] == "new"


def test_a_confirmed_commit_is_cancelled_or_times_out(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    for undo in ("cancel", "time"):
        with client(element) as session:
            session.edit_config(target="candidate", config=hostname("new"))
            session.commit(confirmed=True, timeout="600", persist=undo)
            assert element.running()[HOSTNAME] == "new"
        if undo == "cancel":
            with client(element) as session:
                session.cancel_commit(persist_id=undo)
        else:
            assert element.expire_confirmed_commit()
        assert (element.running(), element.pending()) == (WHOLE, None)


def test_without_persist_a_confirmed_commit_ends_with_its_session(park: Park) -> None:
    element = park.netconf("pe1", profile="no-persist", running=FIRST)
    with client(element) as session:
        session.edit_config(target="candidate", config=hostname("new"))
        assert refused(
            session.rpc, to_ele(f'<commit xmlns="{BASE}"><confirmed/><persist>x</persist></commit>')
        )
        session.commit(confirmed=True, timeout="600")
        assert element.running()[HOSTNAME] == "new"
    with client(element):
        assert element.running() == WHOLE


def test_errors_are_told_in_the_dialect_of_the_element(park: Park) -> None:
    bad = interface("ge-0", "<enabled>maybe</enabled>")
    expected = {Dialect.STANDARD: "invalid-value", Dialect.NETOPEER: "bad-element"}
    for dialect, tag in expected.items():
        with client(park.netconf(dialect.value, dialect=dialect, running=FIRST)) as session:
            assert refused(session.edit_config, target="candidate", config=bad).tag == tag


# --- sessions ----------------------------------------------------------------------------------------------------


def test_a_lock_names_its_holder_and_ends_with_its_session(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    with client(element) as other:
        with client(element) as session:
            session.lock("candidate")
            error = refused(other.lock, "candidate")
            assert error.tag == "lock-denied"
            assert f"<session-id>{session.session_id}</session-id>" in error.info
        other.lock("candidate")


def test_a_killed_session_is_over_and_what_it_held_is_free(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    with client(element) as session, client(element) as victim:
        victim.lock("candidate")
        assert refused(session.kill_session, session.session_id).tag == "invalid-value"
        session.kill_session(victim.session_id)
        session.lock("candidate")
        assert [one for one, _ in element.sessions()] == [int(session.session_id)]


def test_base_1_0_and_1_1_are_both_spoken(park: Park) -> None:
    for profile in ("confirmed-1.0", "candidate"):
        with client(park.netconf(profile, profile=profile, running=FIRST)) as session:
            assert session.get_config("running").data_ele.findtext(f".//{{{SYSTEM}}}hostname") == "pe1"


def test_an_unknown_operation_is_refused(park: Park) -> None:
    with client(park.netconf("pe1", profile="confirmed-1.0")) as session:
        assert refused(session.rpc, to_ele('<no-such xmlns="urn:x"/>')).tag == "operation-not-supported"
        assert (
            refused(session.rpc, to_ele(f'<cancel-commit xmlns="{BASE}"/>')).tag == "operation-not-supported"
        )


# --- notifications -----------------------------------------------------------------------------------------------


def events(session: Any, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        told = session.take_notification(timeout=10)
        assert told is not None
        found.append(told.notification_ele)
    return found


def test_a_change_is_told_with_who_where_and_what(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    with client(element) as watcher, client(element) as session:
        watcher.create_subscription()
        session.edit_config(target="candidate", config=hostname("new"))
        session.commit()
        (change,) = events(watcher, 1)
        assert change.findtext(f".//{{{EVENTS}}}session-id") == str(session.session_id)
        assert change.findtext(f".//{{{EVENTS}}}username") == "admin"
        assert change.findtext(f".//{{{EVENTS}}}target") == "/sys:system/sys:hostname"
        assert change.findtext(f".//{{{EVENTS}}}operation") == "replace"
        # Interleave: the session answers requests beside.
        assert watcher.get_config("running").data_ele is not None
        element.change({HOSTNAME: "by-hand"})
        (change,) = events(watcher, 1)
        assert change.findtext(f".//{{{EVENTS}}}username") == "console"
        assert change.findtext(f".//{{{EVENTS}}}session-id") == "0"


def test_confirmed_commits_and_sessions_are_told_to_who_asked_for_them(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    wanted = f'<netconf-confirmed-commit xmlns="{EVENTS}"/><netconf-session-end xmlns="{EVENTS}"/>'
    with client(element) as watcher:
        watcher.create_subscription(filter=to_ele(f'<filter xmlns="{BASE}">{wanted}</filter>'))
        with client(element) as session:
            session.edit_config(target="candidate", config=hostname("new"))
            session.commit(confirmed=True, timeout="600", persist="t1")
        element.expire_confirmed_commit()
        told = events(watcher, 3)
        names = [etree.QName(one[1]).localname for one in told]
        assert names == ["netconf-confirmed-commit", "netconf-session-end", "netconf-confirmed-commit"]
        assert [one.findtext(f".//{{{EVENTS}}}confirm-event") for one in told] == ["start", None, "timeout"]


def test_the_clock_of_an_element_may_be_wrong(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    element.clock_skew_s = -40 * 365 * 86_400
    with client(element) as watcher:
        watcher.create_subscription()
        element.change({HOSTNAME: "x"})
        (change,) = events(watcher, 1)
        assert change[0].text < "2000"


def test_without_interleave_a_watching_session_does_nothing_else(park: Park) -> None:
    with client(park.netconf("pe1", profile="confirmed-1.0")) as watcher:
        watcher.create_subscription()
        assert refused(watcher.get_config, "running").tag == "operation-not-supported"


# --- what tests do to an element ---------------------------------------------------------------------------------


def test_somebody_leaves_the_candidate_dirty_or_holds_its_lock(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)
    with client(element) as session:
        element.dirty_candidate({HOSTNAME: "left"})
        assert refused(session.lock, "candidate").tag == "lock-denied"
        session.discard_changes()
        element.hold_lock("candidate")
        assert "<session-id>0</session-id>" in refused(session.lock, "candidate").info
        element.release_lock("candidate")
        session.lock("candidate")


def test_a_restarted_element_remembers_what_was_committed_and_undoes_what_was_not_confirmed(
    tmp_path: Path, model: Model
) -> None:
    with Park(tmp_path, model) as park:
        element = park.netconf("pe1", running=FIRST)
        key, port = element.host_key, element.port
        with client(element) as session:
            session.edit_config(target="candidate", config=hostname("kept"))
            session.commit()
            session.edit_config(target="candidate", config=hostname("unconfirmed"))
            session.commit(confirmed=True, timeout="600", persist="t1")
        element.restart()
        assert (element.running()[HOSTNAME], element.pending(), element.port) == ("kept", None, port)
    with Park(tmp_path, model) as park:
        element = park.netconf("pe1", running=FIRST)
        assert (element.running()[HOSTNAME], element.host_key) == ("kept", key)


def test_where_startup_is_apart_a_restart_forgets_what_was_not_copied(park: Park) -> None:
    element = park.netconf("pe1", profile="writable-running", running=FIRST)
    with client(element) as session:
        session.edit_config(target="running", config=hostname("lost"))
    element.restart()
    assert element.running() == WHOLE


def test_a_whole_VPN_is_put_validated_and_committed(park: Park) -> None:
    element = park.netconf("pe1", running={**FIRST, f"{PORT}/type": ETHERNET})
    site = Service(
        service_id="s",
        model="vpn_site",
        parameters=VPN_SITE,
        allocations={"vlan": "vlan/berlin/100", "prefix": "prefix/acme/10.1.0.8/30"},
    )
    wanted = VpnSite().wanted(site, DescribedNetwork())["pe1"]
    schema = load_schema([YANG], load_element_types(TYPES)["netconf"].modules)
    sent = etree.fromstring(native(ConfigurationDiff(wanted), schema)).find("{*}config")
    assert sent is not None
    with client(element) as session:
        session.edit_config(target="candidate", config=etree.tostring(sent).decode())
        session.validate("candidate")
        session.commit()
    assert {path: element.running().get(path) for path in wanted} == wanted
