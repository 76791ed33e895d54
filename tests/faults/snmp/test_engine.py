import hmac

import pytest

from ocs.faults.snmp import ber, usm
from ocs.faults.snmp import engine as engine_module
from ocs.faults.snmp.discard import DiscardReason
from ocs.faults.snmp.engine import Discard, Received, TrapEngine
from ocs.faults.snmp.engine_clocks import BOOTS_LATCHED, EngineClock, EngineClocks
from ocs.faults.snmp.usm import UsmUser
from ocs.limits import SNMP_DATAGRAM_OCTETS_MAX
from tests.support.net_snmp import Protection
from tests.support.pysnmp_messages import v2c_message
from tests.support.snmp_listener import BOOTS, ENGINE_ID, ENGINE_TIME_S, NOW_MS, engine
from tests.support.snmp_sender import HEAD, SENDER, USM_STATS, counter, inform, pdu_of, read_answer, trap

PEER = "192.0.2.7"
PLAIN = UsmUser("plain")
PROVED = Protection("sha1").user()
SECRET = Protection("sha256", "aes128").user()
TRAP_ADDRESS = ("1.3.6.1.6.3.18.1.3.0", 0x40, bytes((10, 0, 0, 9)))


def judge(**how) -> TrapEngine:
    return engine(PLAIN, PROVED, SECRET, **how)


def receive(by: TrapEngine, *datagrams: bytes, now_ms: int = NOW_MS, time_s: int = ENGINE_TIME_S) -> Received:
    return by.receive([(octets, PEER, 162) for octets in datagrams], now_ms, time_s)


def reason_of(received: Received) -> DiscardReason:
    assert not received.notifications
    (discard,) = received.discards
    assert discard.address == PEER
    return discard.reason


def test_datagrams_of_a_batch_come_out_in_order_and_a_bad_one_harms_no_other() -> None:
    good = [trap(PROVED, time_s=time_s, pdu=pdu_of(request_id=time_s)) for time_s in (100, 101, 102)]
    received = receive(judge(), good[0], b"junk", good[1], b"", good[2])
    assert [arrival.notification.engine_id for arrival in received.notifications] == [SENDER] * 3
    assert [discard.reason for discard in received.discards] == [DiscardReason.MALFORMED] * 2


def test_datagram_longer_than_any_is_refused_unread() -> None:
    octets = v2c_message([*HEAD, ("1.3.6.1.4.1.9.1", 0x04, bytes(60_000))])
    assert receive(judge(), octets).notifications
    assert reason_of(receive(judge(), octets + bytes(SNMP_DATAGRAM_OCTETS_MAX))) is DiscardReason.TOO_LONG


def test_padding_behind_a_message_is_ignored_also_by_its_digest() -> None:
    assert len(receive(judge(), v2c_message(HEAD) + b"\0\0", trap(PROVED) + b"\0\0").notifications) == 2


@pytest.mark.parametrize("version", [2, 4, -1, 2**31 - 1])
def test_unknown_version_is_refused(version: int) -> None:
    octets = ber.encode(0x30, ber.encode_number(2, version) + b"\4\6public")
    assert reason_of(receive(judge(), octets)) is DiscardReason.UNKNOWN_VERSION


def test_wrong_community_is_refused_and_not_repeated() -> None:
    received = receive(judge(), v2c_message(HEAD, community=b"secret"))
    assert reason_of(received) is DiscardReason.BAD_COMMUNITY
    assert "secret" not in received.discards[0].detail


def test_community_that_is_no_text_has_a_name_nevertheless() -> None:
    by = TrapEngine(
        engine_id=ENGINE_ID, boots=1, users=[], accepts_community=lambda _: True, is_proxy=lambda _: False
    )
    (arrival,) = receive(by, v2c_message(HEAD, community=b"\xff\x00")).notifications
    assert arrival.notification.security_name == "\\xff\x00"


@pytest.mark.parametrize(("version", "tag"), [(1, 0xA4), (0, 0xA7), (0, 0xA6)])
def test_pdu_of_another_version_is_no_notification(version: int, tag: int) -> None:
    if tag == 0xA4:
        pdu = bytes.fromhex("a4180602 2b06 4004 0a000001 020100 020100 430101 3000".replace(" ", ""))
        pdu = ber.encode(0xA4, pdu[2:])
    else:
        pdu = pdu_of(is_inform=tag == 0xA6)
    octets = ber.encode(0x30, ber.encode_number(2, version) + b"\4\6public" + pdu)
    assert reason_of(receive(judge(), octets)) is DiscardReason.NOT_A_NOTIFICATION


# --- who it is about ---


def test_element_s_address_is_believed_from_a_proxy_only() -> None:
    octets = v2c_message([*HEAD, TRAP_ADDRESS])
    (forged,) = receive(judge(), octets).notifications
    (proxied,) = receive(judge(proxies=(PEER,)), octets).notifications
    assert (forged.notification.source, forged.notification.peer) == (PEER, PEER)
    assert (proxied.notification.source, proxied.notification.peer) == ("10.0.0.9", PEER)
    assert forged.notification.varbinds == proxied.notification.varbinds == ()


def test_each_address_is_asked_for_once_whether_it_is_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    by = TrapEngine(
        engine_id=ENGINE_ID,
        boots=1,
        users=[],
        accepts_community=lambda _: True,
        is_proxy=lambda address: bool(asked.append(address)),
    )
    monkeypatch.setattr(engine_module, "SNMP_PEERS_REMEMBERED", 2)
    octets = v2c_message([*HEAD, TRAP_ADDRESS])
    for address in ("a", "a", "b", "a"):
        by.receive([(octets, address, 1)], NOW_MS, ENGINE_TIME_S)
    assert asked == ["a", "b"]
    by.receive([(octets, "c", 1)], NOW_MS, ENGINE_TIME_S)
    assert len(by._proxies) == 1, "full: it begins anew"


# --- version 3, the sender is the authority ---


def test_authentic_trap_says_the_boot_of_its_engine_and_its_clock_is_known() -> None:
    clocks = EngineClocks()
    by = judge(clocks=clocks)
    (arrival,) = receive(by, trap(SECRET)).notifications
    assert arrival.engine_boots == 5
    assert clocks.get(SENDER) == EngineClock(5, 100, NOW_MS)
    assert arrival.acknowledgement is None and arrival.inform_key is None


def test_replay_from_a_former_boot_or_from_outside_the_window_is_refused() -> None:
    by = judge()
    assert receive(by, trap(PROVED, boots=5, time_s=1_000)).notifications
    assert reason_of(receive(by, trap(PROVED, boots=4, time_s=9_999))) is DiscardReason.NOT_IN_TIME_WINDOW
    assert reason_of(receive(by, trap(PROVED, boots=5, time_s=849))) is DiscardReason.NOT_IN_TIME_WINDOW
    assert receive(by, trap(PROVED, boots=5, time_s=850)).notifications
    later = receive(by, trap(PROVED, boots=5, time_s=1_000), now_ms=NOW_MS + 151_000)
    assert reason_of(later) is DiscardReason.NOT_IN_TIME_WINDOW
    assert not later.replies, "a trap is never answered"


def test_replay_is_recognised_after_a_restart_of_ours() -> None:
    clocks = EngineClocks([(SENDER, EngineClock(6, 10, NOW_MS))])
    by = TrapEngine(
        engine_id=ENGINE_ID,
        boots=1,
        users=[PROVED],
        accepts_community=lambda _: True,
        is_proxy=lambda _: False,
        clocks=clocks,
    )
    assert reason_of(receive(by, trap(PROVED))) is DiscardReason.NOT_IN_TIME_WINDOW


def test_what_is_not_authentic_sets_no_clock() -> None:
    clocks = EngineClocks()
    by = judge(clocks=clocks)
    other = UsmUser(PROVED.name, authentication="sha1", authentication_password=b"another password")
    assert reason_of(receive(by, trap(other, boots=99))) is DiscardReason.WRONG_DIGEST
    assert receive(by, trap(PLAIN, boots=99)).notifications
    assert clocks.get(SENDER) is None
    assert receive(by, trap(PROVED, boots=1)).notifications


def test_forgery_is_refused_also_when_the_engine_s_keys_are_remembered() -> None:
    by = judge()
    other = UsmUser(PROVED.name, authentication="sha1", authentication_password=b"another password")
    assert receive(by, trap(PROVED)).notifications
    assert reason_of(receive(by, trap(other))) is DiscardReason.WRONG_DIGEST


def test_user_with_a_key_cannot_be_spoken_for_without_it() -> None:
    assert reason_of(receive(judge(), trap(SECRET, flags=0))) is DiscardReason.UNSUPPORTED_LEVEL


def test_user_with_privacy_may_send_what_is_authentic_and_not_secret() -> None:
    (arrival,) = receive(judge(), trap(SECRET, flags=usm.FLAG_AUTHENTICATION)).notifications
    assert arrival.notification.security_level == 2


@pytest.mark.parametrize(("user", "flags"), [(PLAIN, 1), (PROVED, 3)])
def test_level_that_was_not_agreed_is_refused(user: UsmUser, flags: int) -> None:
    octets = trap(user, flags=0).replace(b"\4\1\0", bytes((4, 1, flags)), 1)
    assert reason_of(receive(judge(), octets)) is DiscardReason.UNSUPPORTED_LEVEL


@pytest.mark.parametrize("octets", [0, 1, 4, 33])
def test_sender_without_a_possible_engine_id_is_refused(octets: int) -> None:
    received = receive(judge(), trap(PLAIN, engine_id=bytes(octets)))
    assert reason_of(received) is DiscardReason.UNKNOWN_ENGINE
    assert not received.replies


def test_trap_that_asks_for_reports_is_taken_nevertheless() -> None:
    received = receive(judge(), trap(PROVED, flags=usm.FLAG_AUTHENTICATION | usm.FLAG_REPORTABLE))
    assert received.notifications and not received.replies


@pytest.mark.parametrize("tag", [0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA8])
def test_other_pdus_in_version_3_are_no_notifications(tag: int) -> None:
    pdu = pdu_of()
    if tag == 0xA4:
        pdu = ber.encode(0xA4, bytes.fromhex("06022b0640040a0000010201000201004301013000"))
    received = receive(judge(), trap(PROVED, pdu=bytes((tag,)) + pdu[1:]))
    assert reason_of(received) is DiscardReason.NOT_A_NOTIFICATION


def test_keys_are_made_once_for_each_sender_and_only_for_those_who_have_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[bytes] = []
    real = UsmUser.keys_at
    monkeypatch.setattr(UsmUser, "keys_at", lambda self, engine: made.append(engine) or real(self, engine))
    monkeypatch.setattr(engine_module, "SNMP_KEYS_REMEMBERED", 2)
    engines = [b"sender%d" % number for number in range(3)]
    datagrams = [trap(PROVED, engine_id=engine_id) for engine_id in engines]
    other = UsmUser(PROVED.name, authentication="sha1", authentication_password=b"another password")
    forged = trap(other, engine_id=b"forged")
    made.clear()
    by = judge()
    receive(by, datagrams[0], datagrams[0], datagrams[1], datagrams[0], forged, forged)
    assert made == [engines[0], engines[1], b"forged", b"forged"]
    assert set(by._keys) == {(PROVED.name.encode(), engine_id) for engine_id in engines[:2]}
    receive(by, datagrams[2])
    assert len(by._keys) == 1, "full: it begins anew"


def test_password_is_stretched_once_however_many_senders_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stretched: list[bytes] = []
    real = engine_module.usm.usm_keys.master_key
    monkeypatch.setattr(
        usm.usm_keys, "master_key", lambda how, password: stretched.append(password) or real(how, password)
    )
    user = UsmUser("fresh", authentication="md5", authentication_password=b"long enough")
    by = engine(user)
    datagrams = [trap(user, engine_id=b"sender%d" % number) for number in range(5)]
    assert len(receive(by, *datagrams).notifications) == 5
    assert stretched == [b"long enough"]


def test_digests_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    receive(judge(), trap(PROVED))
    assert len(compared) == 1


# --- version 3, we are the authority ---


def test_inform_is_acknowledged_in_kind() -> None:
    by = judge()
    (arrival,) = receive(by, inform(SECRET)).notifications
    assert arrival.acknowledgement is not None
    answer = read_answer(arrival.acknowledgement, SECRET)
    assert (answer.tag, answer.message_id, answer.flags) == (0xA2, 77, 3)
    assert (answer.engine_id, answer.boots, answer.time_s) == (ENGINE_ID, BOOTS, ENGINE_TIME_S)
    assert answer.context == (SENDER, b"context")
    assert answer.pdu[1:] == pdu_of(is_inform=True)[1:]
    assert arrival.notification.engine_id == SENDER
    assert arrival.engine_boots == -1, "the boots are ours"


def test_inform_that_names_us_as_its_context_does_not_say_who_sent_it() -> None:
    (arrival,) = receive(judge(), inform(SECRET, context=ENGINE_ID)).notifications
    assert arrival.notification.engine_id == b""


@pytest.mark.parametrize("user", [PLAIN, PROVED, SECRET], ids=lambda user: user.name)
def test_retransmitted_inform_has_the_key_of_the_first(user: UsmUser) -> None:
    by = judge()
    first = inform(user, message_id=77)
    again = inform(user, message_id=78, time_s=ENGINE_TIME_S + 1)
    other = inform(user, request_id=8)
    later = inform(user, said=[("1.3.6.1.2.1.1.3.0", 0x43, 4_243), HEAD[1]])
    keys = [arrival.inform_key for arrival in receive(by, first, again, other, later).notifications]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    elsewhere = by.receive([(first, PEER, 163), (first, "192.0.2.8", 162)], NOW_MS, ENGINE_TIME_S)
    assert len({*keys, *(arrival.inform_key for arrival in elsewhere.notifications)}) == 5


def test_inform_of_version_2c_is_acknowledged_and_recognised_again() -> None:
    octets = v2c_message(HEAD, is_inform=True)
    first, again = receive(judge(), octets, octets).notifications
    assert first.inform_key == again.inform_key
    assert first.acknowledgement == again.acknowledgement == octets.replace(b"\xa6", b"\xa2", 1)


@pytest.mark.parametrize(
    ("boots", "time_s", "is_taken"),
    [
        (BOOTS, ENGINE_TIME_S - 150, True),
        (BOOTS, ENGINE_TIME_S + 150, True),
        (BOOTS, ENGINE_TIME_S - 151, False),
        (BOOTS, ENGINE_TIME_S + 151, False),
        (BOOTS - 1, ENGINE_TIME_S, False),
        (BOOTS + 1, ENGINE_TIME_S, False),
    ],
)
def test_authentic_inform_outside_our_window_is_told_our_clock_by_an_authentic_report(
    boots: int, time_s: int, is_taken: bool
) -> None:
    received = receive(judge(), inform(SECRET, boots=boots, time_s=time_s))
    assert bool(received.notifications) is is_taken
    if is_taken:
        return
    assert reason_of(received) is DiscardReason.NOT_IN_TIME_WINDOW
    answer = read_answer(received.replies[0].octets, SECRET)
    assert (answer.flags, answer.boots, answer.time_s) == (usm.FLAG_AUTHENTICATION, BOOTS, ENGINE_TIME_S)
    assert counter(answer)[1:] == (f"{USM_STATS}.2.0", 1)


def test_engine_that_used_up_its_boots_takes_nothing_authentic_any_more() -> None:
    by = engine(PROVED, boots=BOOTS_LATCHED + 5)
    received = receive(by, inform(PROVED, boots=BOOTS_LATCHED))
    assert reason_of(received) is DiscardReason.NOT_IN_TIME_WINDOW
    assert read_answer(received.replies[0].octets, PROVED).boots == BOOTS_LATCHED


def test_both_steps_of_discovery_are_answered_and_are_nobody_s_fault() -> None:
    by = judge()
    who = receive(by, inform(PLAIN, engine_id=b"", boots=0, time_s=0))
    when = receive(by, inform(SECRET, boots=0, time_s=0))
    assert not who.discards and not when.discards and not who.notifications and not when.notifications
    answers = [read_answer(received.replies[0].octets, SECRET) for received in (who, when)]
    assert [counter(answer)[1] for answer in answers] == [f"{USM_STATS}.4.0", f"{USM_STATS}.2.0"]
    assert [(answer.engine_id, answer.boots) for answer in answers] == [(ENGINE_ID, BOOTS)] * 2
    assert (who.replies[0].address, who.replies[0].port) == (PEER, 162)


OTHER = UsmUser(
    SECRET.name,
    authentication="sha256",
    authentication_password=b"another password",
    privacy="aes128",
    privacy_password=b"another password",
)
HALF = UsmUser(
    SECRET.name,
    authentication="sha256",
    authentication_password=b"authpass12",
    privacy="aes128",
    privacy_password=b"another password",
)


@pytest.mark.parametrize(
    ("octets", "reason", "number"),
    [
        (inform(SECRET, flags=0), DiscardReason.UNSUPPORTED_LEVEL, 1),
        (inform(UsmUser("nobody")), DiscardReason.UNKNOWN_USER, 3),
        (inform(PROVED, engine_id=b"former id"), DiscardReason.UNKNOWN_ENGINE, 4),
        (inform(OTHER), DiscardReason.WRONG_DIGEST, 5),
        (inform(HALF), DiscardReason.DECRYPTION, 6),
    ],
    ids=["level", "user", "engine", "digest", "decryption"],
)
def test_inform_that_is_refused_gets_the_report_that_says_why(
    octets: bytes, reason: DiscardReason, number: int
) -> None:
    by = judge()
    for count in (1, 2):
        received = receive(by, octets)
        assert reason_of(received) is reason
        answer = read_answer(received.replies[0].octets)
        assert (answer.tag, answer.flags, answer.message_id, answer.boots) == (0xA8, 0, 77, BOOTS)
        assert answer.engine_id == answer.context[0] == ENGINE_ID
        assert counter(answer)[1:] == (f"{USM_STATS}.{number}.0", count)


def test_whoever_speaks_of_another_engine_hears_of_ours_whatever_else_is_wrong() -> None:
    received = receive(judge(), inform(UsmUser("nobody"), engine_id=b"former id"))
    assert counter(read_answer(received.replies[0].octets))[1] == f"{USM_STATS}.4.0"


def test_report_repeats_the_request_id_where_it_can_be_read() -> None:
    by = judge()
    plain = receive(by, inform(UsmUser("nobody"), request_id=1_234)).replies[0]
    private = receive(by, inform(OTHER, request_id=1_234)).replies[0]
    assert counter(read_answer(plain.octets))[0] == 1_234
    assert counter(read_answer(private.octets))[0] == 0


def test_what_asks_for_no_report_gets_none() -> None:
    received = receive(judge(), trap(UsmUser("nobody")), trap(SECRET, flags=0), trap(OTHER), trap(HALF))
    assert len(received.discards) == 4 and not received.replies


def test_engine_id_of_ours_has_5_to_32_octets() -> None:
    for octets in (4, 33):
        with pytest.raises(ValueError, match="5 to 32"):
            TrapEngine(
                engine_id=bytes(octets), boots=1, users=[], accepts_community=bool, is_proxy=lambda _: False
            )


def test_discard_tells_no_secret() -> None:
    for octets in (trap(OTHER), trap(HALF), v2c_message(HEAD, community=b"hidden")):
        (discard,) = receive(judge(), octets).discards
        assert isinstance(discard, Discard)
        assert "hidden" not in discard.detail and "pass" not in discard.detail
