from ocs.faults.snmp.answers import REPORTED, Answers, community_response
from ocs.faults.snmp.discard import DiscardReason
from ocs.faults.snmp.engine_clocks import BOOTS_LATCHED
from ocs.faults.snmp.pdu import PduReader
from tests.support.net_snmp import Protection
from tests.support.pysnmp_messages import read_v2c, v2c_message
from tests.support.snmp_listener import ENGINE_TIME_S, NOW_MS, engine
from tests.support.snmp_sender import HEAD, inform, pdu_of, read_answer

SECRET = Protection("sha1", "aes128").user()


def test_no_salt_is_used_twice_with_one_key_over_restarts_too() -> None:
    salts: list[bytes] = []
    for boots in (3, 4):
        by = engine(SECRET, boots=boots)
        datagrams = [(inform(SECRET, boots=boots, request_id=number), "::1", 1) for number in range(50)]
        arrivals = by.receive(datagrams, NOW_MS, ENGINE_TIME_S).notifications
        salts += [read_answer(arrival.acknowledgement or b"", SECRET).salt for arrival in arrivals]
    assert len(set(salts)) == 100


def test_salt_of_an_engine_that_used_up_its_boots_still_fits() -> None:
    answers = Answers(b"engine", BOOTS_LATCHED)
    answers._salt = 0xFFFF_FFFF
    by = engine(SECRET)
    by._answers = answers
    (arrival,) = by.receive([(inform(SECRET), "::1", 1)], NOW_MS, ENGINE_TIME_S).notifications
    assert arrival.acknowledgement is not None


def test_reports_are_those_of_rfc_3414_section_5() -> None:
    assert sorted(REPORTED.values()) == [1, 2, 3, 4, 5, 6]
    assert REPORTED[DiscardReason.NOT_IN_TIME_WINDOW] == 2


def test_acknowledgement_of_version_2c_is_read_by_pysnmp() -> None:
    octets = pdu_of(is_inform=True, request_id=-5)
    answer = community_response(1, b"public", PduReader().read(octets, 0, len(octets)))
    assert read_v2c(answer) == ("ResponsePDU", b"public", -5, 0, HEAD)
    assert answer == v2c_message(HEAD, request_id=-5, is_inform=True).replace(b"\xa6", b"\xa2", 1)
