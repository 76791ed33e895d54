"""What was read before says the same again, whoever sends it."""

import msgspec
import pytest
from hypothesis import given

from ocs.faults.notification import Notification
from ocs.faults.rules import rulebook, rules_of
from ocs.faults.rules.familiar import ELEMENT_MARK
from tests.faults.rules.test_builtin_rules import CASES, qualified
from tests.faults.rules.test_rulebook import NOTIFICATIONS, VENDOR, book, rule
from tests.support.notifications import shipped_rules, standard_names, trap

CONTENT = b"content"


def sent_by(notification: Notification, address: str) -> Notification:
    return msgspec.structs.replace(notification, source=address, peer=address)


@pytest.mark.parametrize(
    ("name", "varbinds"), [case[:2] for case in CASES], ids=[f"{case[2]}-{n}" for n, case in enumerate(CASES)]
)
def test_what_came_again_says_what_it_says_when_it_is_read(name: str, varbinds: list[str]) -> None:
    which = rulebook.RuleBook(shipped_rules().rules, standard_names())
    notification = trap(name, *qualified(name, varbinds))
    for at_ms, address in enumerate(("192.0.2.7", "192.0.2.8", "2001:db8::1")):
        sent = sent_by(notification, address)
        assert which.signals(sent, at_ms, CONTENT) == which.signals(sent, at_ms)
    assert all(which._familiar.values())


@given(NOTIFICATIONS)
def test_whatever_came_again_says_what_it_says_when_it_is_read(notification: Notification) -> None:
    which = rulebook.RuleBook(shipped_rules().rules, standard_names())
    for address in ("192.0.2.7", "a-long-name" * 40):
        sent = sent_by(notification, address)
        read = rulebook.RuleBook(shipped_rules().rules, standard_names()).signals(sent, 5)
        assert which.signals(sent, 5, CONTENT) == read


def test_rule_that_tells_the_sender_s_address_is_read_each_time() -> None:
    which = book(rule("one", f"{VENDOR}.0.1") + 'resource = "{element}/{peer}"\n')
    notification = trap(f"{VENDOR}.0.1")
    resources = [
        which.signals(sent_by(notification, address), 0, CONTENT)[0].key.resource
        for address in ("192.0.2.7", "192.0.2.8")
    ]
    assert resources == ["192.0.2.7/192.0.2.7", "192.0.2.8/192.0.2.8"]


def test_content_that_holds_the_mark_of_the_element_s_name_is_read_each_time() -> None:
    which = book(rule("one", f"{VENDOR}.0.1"))
    which.signals(trap(f"{VENDOR}.0.1"), 0, ELEMENT_MARK.encode())
    assert which._familiar == {ELEMENT_MARK.encode(): ()}


def test_trap_that_no_rule_knows_is_an_unknown_one_of_each_sender() -> None:
    which = rules_of({}, standard_names())
    for address in ("192.0.2.7", "192.0.2.8"):
        (signal,) = which.signals(sent_by(trap(f"{VENDOR}.0.9"), address), 0, CONTENT)
        assert signal.is_catch_all
        assert signal.source == address


def test_memory_of_contents_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rulebook, "SNMP_CONTENTS_REMEMBERED", 10)
    which = book(rule("one", f"{VENDOR}.0.1"))
    for number in range(25):
        which.signals(trap(f"{VENDOR}.0.1"), 0, b"%d" % number)
    assert 0 < len(which._familiar) <= 10
