"""Services own paths of elements; what is sent follows from what they own."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ocs.provisioning.configuration import ConfigurationDiff, changed, entries_above
from ocs.provisioning.services.ownership import (
    ElementChange,
    ElementOwnership,
    OwnershipConflictError,
    change_service,
    complete,
)

INTERFACE = "/if:interfaces/interface[name='a']"
MTU = f"{INTERFACE}/mtu"


def ownership(
    owners: dict[str, dict[str, str | None]], originals: dict[str, str | None] | None = None
) -> dict[str, ElementOwnership]:
    return {"pe1": ElementOwnership(owners, originals or {})}


def test_first_service_sets_and_owns_what_it_wants_with_the_entries_around_it() -> None:
    change = change_service("s1", {"pe1": {MTU: "1500"}}, {})["pe1"]
    assert change.forward == ConfigurationDiff({INTERFACE: None, MTU: "1500"})
    assert change.expected == {}
    assert change.ownership.owned == {INTERFACE: None, MTU: "1500"}
    assert change.ownership.first_owned == (INTERFACE, MTU)


def test_unchanged_service_sends_nothing() -> None:
    known = ownership({INTERFACE: {"s1": None}, MTU: {"s1": "1500"}})
    change = change_service("s1", {"pe1": {MTU: "1500"}}, known)["pe1"]
    assert not change.forward
    assert not change.ownership.first_owned


def test_what_others_want_alike_is_shared_and_stays_until_the_last_one_goes() -> None:
    shared = ownership({INTERFACE: {"s1": None, "s2": None}, MTU: {"s1": "1500", "s2": "1500"}})
    assert not change_service("s2", {"pe1": {MTU: "1500"}}, shared)["pe1"].forward
    assert not change_service("s1", {}, shared)["pe1"].forward
    last = ownership({INTERFACE: {"s2": None}, MTU: {"s2": "1500"}})
    assert change_service("s2", {}, last)["pe1"].forward == ConfigurationDiff({}, (INTERFACE,))


def test_service_that_wants_what_another_holds_differently_is_refused_by_name() -> None:
    known = ownership({INTERFACE: {"s1": None}, MTU: {"s1": "1500"}})
    with pytest.raises(OwnershipConflictError, match=r"pe1: .*/mtu: wanted 9000, owned by s1 \(1500\)"):
        change_service("s2", {"pe1": {MTU: "9000"}}, known)


def test_what_stood_there_before_the_first_service_comes_back_after_the_last() -> None:
    known = ownership({INTERFACE: {"s1": None}, MTU: {"s1": "9000"}}, {INTERFACE: None, MTU: "1500"})
    change = change_service("s1", {}, known)["pe1"]
    assert change.forward == ConfigurationDiff({INTERFACE: None, MTU: "1500"})
    assert change.ownership.orphaned == (INTERFACE, MTU)


def test_value_that_is_changed_must_still_be_ours() -> None:
    known = ownership({INTERFACE: {"s1": None}, MTU: {"s1": "1500"}})
    change = change_service("s1", {"pe1": {MTU: "9000"}}, known)["pe1"]
    assert change.forward == ConfigurationDiff({MTU: "9000"})
    assert change.expected == {MTU: "1500"}


def test_element_that_a_service_leaves_is_changed_too() -> None:
    known = {"pe1": ElementOwnership({MTU: {"s1": "1"}, INTERFACE: {"s1": None}}), "pe2": ElementOwnership()}
    changes = change_service("s1", {"pe2": {MTU: "1"}}, known)
    assert changes["pe1"].forward.removed == (INTERFACE,)
    assert MTU in changes["pe2"].forward.set


# --- Any order of create, modify and delete ---------------------------------------------------------------------

LEAVES = ("/m:x", "/m:y", f"{INTERFACE}/mtu", f"{INTERFACE}/text", "/m:l[k='1']/m", "/m:l[k='1']/s[k='2']/v")
# One value for each path that services may share; each service has further ones of its own.
SERVICES = ("s1", "s2", "s3")


class Network(RuleBasedStateMachine):
    """An element, its owners as they would be recorded, and what its configuration should come to."""

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[str, str | None] = {}
        self.base: dict[str, str | None] = {}
        self.owners: dict[str, dict[str, str | None]] = {}
        self.originals: dict[str, str | None] = {}
        self.wanted: dict[str, dict[str, str | None]] = {}

    @initialize(base=st.dictionaries(st.sampled_from(LEAVES), st.sampled_from(["0", "1", "2"])))
    def somebody_configured_it_before(self, base: dict[str, str]) -> None:
        self.base = complete(base)
        self.running = dict(self.base)

    @rule(
        service=st.sampled_from(SERVICES),
        wanted=st.dictionaries(st.sampled_from(LEAVES), st.sampled_from(["1", "2"])),
    )
    def service_wants(self, service: str, wanted: dict[str, str | None]) -> None:
        known = {"pe1": ElementOwnership(self.owners, self.originals)}
        conflicts = [
            path
            for path, value in complete(wanted).items()
            for name, whole in self.wanted.items()
            if name != service and path in whole and whole[path] != value
        ]
        if conflicts:
            with pytest.raises(OwnershipConflictError) as refused:
                change_service(service, {"pe1": wanted}, known)
            assert refused.value.path in conflicts
            return
        changes = change_service(service, {"pe1": wanted}, known)
        self.wanted[service] = complete(wanted)
        if "pe1" in changes:
            self._do(service, changes["pe1"])
        self._check()

    @rule(service=st.sampled_from(SERVICES))
    def service_is_run_again(self, service: str) -> None:
        known = {"pe1": ElementOwnership(self.owners, self.originals)}
        changes = change_service(service, {"pe1": self.wanted.get(service, {})}, known)
        assert not any(change.forward for change in changes.values())

    @rule(service=st.sampled_from(SERVICES))
    def service_is_deleted(self, service: str) -> None:
        self.service_wants_nothing(service)

    def service_wants_nothing(self, service: str) -> None:
        known = {"pe1": ElementOwnership(self.owners, self.originals)}
        changes = change_service(service, {}, known)
        self.wanted.pop(service, None)
        if "pe1" in changes:
            self._do(service, changes["pe1"])
        self._check()

    def _do(self, service: str, change: ElementChange) -> None:
        assert all(self.running.get(path) == value for path, value in change.expected.items())
        before = self.running
        self.running = changed(before, change.forward)
        for path in change.ownership.first_owned:
            if path in before:
                self.originals[path] = before[path]
        for path in change.ownership.orphaned:
            self.originals.pop(path, None)
        for path in list(self.owners):
            self.owners[path].pop(service, None)
            if not self.owners[path]:
                del self.owners[path]
        for path, value in change.ownership.owned.items():
            self.owners.setdefault(path, {})[service] = value

    def _check(self) -> None:
        expected = dict(self.base)
        for whole in self.wanted.values():
            expected.update(whole)
        assert self.running == expected
        assert self.originals.keys() <= self.owners.keys()
        for path in self.owners:
            assert all(entry in self.owners for entry in entries_above(path))


class TestNetwork(Network.TestCase):
    settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
