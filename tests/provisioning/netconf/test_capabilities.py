"""What hellos promise."""

import pytest

from ocs.limits import NETCONF_CAPABILITIES_MAX
from ocs.provisioning.netconf.capabilities import ModuleCapability, read_capabilities

C = "urn:ietf:params:netconf:capability:"


def test_each_capability_of_the_standards_is_read() -> None:
    found = read_capabilities(
        [
            "urn:ietf:params:netconf:base:1.0", "urn:ietf:params:netconf:base:1.1",
            f"{C}writable-running:1.0", f"{C}candidate:1.0", f"{C}confirmed-commit:1.0", f"{C}confirmed-commit:1.1",
            f"{C}rollback-on-error:1.0", f"{C}validate:1.0", f"{C}validate:1.1", f"{C}startup:1.0",
            f"{C}url:1.0?scheme=http,ftp,file", f"{C}xpath:1.0", f"{C}notification:1.0", f"{C}interleave:1.0",
            f"{C}partial-lock:1.0",
            f"{C}with-defaults:1.0?basic-mode=trim&also-supported=report-all,explicit",
            f"{C}yang-library:1.1?revision=2019-01-04&content-id=14782ab9bd56b92aacc156a2958fbe12312fb285",
            "urn:a?module=a&revision=2020-01-01&features=x,y&deviations=d",
            "\n  urn:ietf:params:xml:ns:yang:ietf-netconf-nmda?module=ietf-netconf-nmda\n", "http://vendor.example/whatever", "",
        ]
    )  # fmt: skip
    assert found.base == {"1.0", "1.1"}
    assert all((found.writable_running, found.candidate, found.rollback_on_error, found.startup, found.xpath))
    assert all((found.notification, found.interleave, found.partial_lock, found.nmda))
    assert (found.confirmed_commit, found.validate, found.yang_library) == ("1.1", "1.1", "1.1")
    assert found.url_schemes == ("http", "ftp", "file")
    assert (found.default_mode, found.default_modes) == ("trim", ("report-all", "explicit"))
    assert found.yang_library_id == "14782ab9bd56b92aacc156a2958fbe12312fb285"
    assert found.modules["a"] == ModuleCapability("urn:a", "2020-01-01", ("x", "y"), ("d",))


def test_nothing_is_assumed() -> None:
    found = read_capabilities(["urn:ietf:params:netconf:base:1.0"])
    assert found == type(found)(base=frozenset({"1.0"}))
    assert not found.nmda


def test_the_older_versions_are_told_from_the_newer() -> None:
    found = read_capabilities(
        [f"{C}confirmed-commit:1.0", f"{C}validate:1.0", f"{C}yang-library:1.0?module-set-id=7"]
    )
    assert (found.confirmed_commit, found.validate, found.yang_library) == ("1.0", "1.0", "1.0")
    assert found.yang_library_id == "7"


def test_a_hello_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="capabilities"):
        read_capabilities(f"urn:{number}" for number in range(NETCONF_CAPABILITIES_MAX + 1))
