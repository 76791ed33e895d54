"""Who babbles is cut short; what may end an alarm passes."""

from ocs.faults.receiver.rations import Datagram, Rations, ReportRation, Storm
from ocs.limits import (
    SNMP_REPORTS_PER_PEER_PER_S,
    SNMP_REPORTS_PER_S,
    STORM_CLEARS_RATIO,
    STORM_QUIET_MS,
    TRAP_SOURCES_MAX,
)

LINK_DOWN = bytes.fromhex("2b0601060301010503")
LINK_UP = bytes.fromhex("2b0601060301010504")
MARK = bytes.fromhex("060a2b06010603010104010006")


def trap(address: str, oid: bytes = LINK_DOWN) -> Datagram:
    return (
        b"\x30\x40 version and community " + MARK + bytes([len(oid)]) + oid + b" varbinds",
        address,
        40_000,
    )


def rations(per_s: int = 10, burst_s: int = 2) -> Rations:
    return Rations(per_s=per_s, burst_s=burst_s, may_clear=lambda oid: oid == LINK_UP)


def test_source_within_its_ration_is_not_touched() -> None:
    datagrams = [trap("10.0.0.1") for _ in range(20)]
    assert rations().admit(datagrams, 0) == (datagrams, [])


def test_source_above_its_ration_is_cut_and_told_once() -> None:
    one = rations()
    passed, storms = one.admit([trap("10.0.0.1") for _ in range(25)], 0)
    assert len(passed) == 20
    assert storms == [Storm("10.0.0.1", is_over=False, dropped=1)]
    assert one.admit([trap("10.0.0.1")], 0) == ([], [])


def test_ration_comes_back_with_time() -> None:
    one = rations()
    one.admit([trap("10.0.0.1") for _ in range(25)], 0)
    passed, _ = one.admit([trap("10.0.0.1") for _ in range(25)], 500)
    assert len(passed) == 5


def test_quiet_source_is_heard_beside_a_babbling_one() -> None:
    one = rations()
    one.admit([trap("10.0.0.1") for _ in range(1_000)], 0)
    assert one.admit([trap("10.0.0.2")], 0) == ([trap("10.0.0.2")], [])


def test_clears_pass_above_the_ration_but_not_without_bound() -> None:
    one = rations()
    one.admit([trap("10.0.0.1") for _ in range(25)], 0)
    passed, _ = one.admit([trap("10.0.0.1", LINK_UP) for _ in range(1_000)], 0)
    assert len(passed) == 20 * STORM_CLEARS_RATIO


def test_what_hides_its_meaning_counts_as_a_clear() -> None:
    one = rations()
    one.admit([trap("10.0.0.1") for _ in range(25)], 0)
    encrypted = (b"\x30\x40\x02\x01\x03 sealed", "10.0.0.1", 40_000)
    assert one.admit([encrypted], 0).passed == [encrypted]


def test_cut_off_identifier_is_no_clear_and_no_error() -> None:
    one = rations()
    one.admit([trap("10.0.0.1") for _ in range(25)], 0)
    assert one.admit([(MARK, "10.0.0.1", 1), (MARK + b"\xff", "10.0.0.1", 1)], 0).passed == []


def test_storm_is_over_when_nothing_was_dropped_for_a_while() -> None:
    one = rations()
    one.admit([trap("10.0.0.1") for _ in range(25)], 0)
    assert one.calm(STORM_QUIET_MS - 1) == []
    assert one.calm(STORM_QUIET_MS) == [Storm("10.0.0.1", is_over=True, dropped=5)]
    assert one.calm(STORM_QUIET_MS) == []
    # The next one is told again.
    _, storms = one.admit([trap("10.0.0.1") for _ in range(25)], STORM_QUIET_MS)
    assert storms == [Storm("10.0.0.1", is_over=False, dropped=1)]


def test_without_a_ration_everything_passes() -> None:
    datagrams = [trap("10.0.0.1") for _ in range(1_000)]
    assert rations(per_s=0).admit(datagrams, 0).passed == datagrams


def test_sources_are_bounded_and_a_raging_storm_is_not_forgotten() -> None:
    one = rations()
    one.admit([trap("10.0.0.1") for _ in range(25)], 0)
    one.admit(
        [trap(f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}.x") for n in range(TRAP_SOURCES_MAX + 5)], 0
    )
    assert len(one._sources) <= TRAP_SOURCES_MAX + 1
    assert one.admit([trap("10.0.0.1")], 0).passed == []


def test_reports_to_one_address_and_in_all_are_rationed_by_the_second() -> None:
    ration = ReportRation()
    assert sum(ration.admit("10.0.0.1", 0) for _ in range(100)) == SNMP_REPORTS_PER_PEER_PER_S
    assert ration.admit("10.0.0.2", 999)
    assert ration.admit("10.0.0.1", 1_000)
    forged = sum(ration.admit(f"10.1.{n // 256}.{n % 256}", 1_500) for n in range(2 * SNMP_REPORTS_PER_S))
    assert forged == SNMP_REPORTS_PER_S - 1
