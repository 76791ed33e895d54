"""Accounting-Requests as what charging is asked."""

import pytest

from ocs.limits import RADIUS_LATE_REPORT_S, REPORTED_UNITS_MAX
from ocs.messages import CCRequestType, ServiceUnit
from ocs.radius.accounting import UnusableReportError, decode_report
from ocs.radius.codes import AcctStatusType
from ocs.radius.packet import decode

NOW_S = 1_800_000_000


def report(nas, client, status="Interim-Update", session="s1", **attributes):
    octets = nas.accounting_request(status, session, User_Name="anna@a.example", **attributes).RequestPacket()
    return decode_report(decode(octets), client, "192.0.2.1", NOW_S)


def test_gigawords_and_octets_make_one_counter(nas, client):
    told = report(
        nas, client, Acct_Input_Octets=5, Acct_Input_Gigawords=1, Acct_Output_Octets=7, Acct_Session_Time=60
    )
    assert told.counters == ServiceUnit((1 << 32) + 12, (1 << 32) + 5, 7, 60)
    assert told.request.is_cumulative


def test_an_interim_asks_for_the_next_quota_and_a_stop_for_none(nas, client):
    interim = report(nas, client)
    assert interim.request.request_type is CCRequestType.UPDATE
    assert interim.request.services[0].requested == ServiceUnit()
    stop = report(nas, client, "Stop")
    assert stop.request.request_type is CCRequestType.TERMINATION
    assert stop.request.services[0].requested is None


def test_a_start_leaves_what_was_granted_alone(nas, client):
    start = report(nas, client, "Start")
    assert (start.status, start.request.services) == (AcctStatusType.START, ())
    assert start.opening is not None
    assert start.opening.request_type is CCRequestType.INITIAL
    assert start.opening.services[0].used == ()


def test_numbers_rise_with_the_session_s_time(nas, client):
    numbers = [
        report(nas, client, "Start").request.request_number,
        *[
            report(nas, client, Acct_Session_Time=at, Acct_Input_Octets=999).request.request_number
            for at in (0, 60, 120)
        ],
    ]
    assert numbers == [1, 2, 62, 122]
    assert report(nas, client, Acct_Input_Octets=500).request.request_number == 502


def test_a_copy_has_the_same_content_whatever_its_identifier_and_delay(nas, client):
    first = report(nas, client, Acct_Session_Time=60, Acct_Input_Octets=5)
    copy = report(nas, client, Acct_Session_Time=60, Acct_Input_Octets=5, Acct_Delay_Time=9)
    assert first.request.fingerprint == copy.request.fingerprint
    assert first.request.request_number == copy.request.request_number
    other = report(nas, client, Acct_Session_Time=60, Acct_Input_Octets=6)
    assert other.request.fingerprint != first.request.fingerprint


def test_a_start_is_a_copy_when_it_says_so_and_a_report_is_known_by_its_counters(nas, client):
    def is_copy(status, **attributes):
        opening = report(nas, client, status, **attributes).opening
        assert opening is not None
        return opening.retransmitted

    assert not is_copy("Start")
    assert is_copy("Start", Acct_Delay_Time=9)
    assert is_copy("Interim-Update", Acct_Session_Time=60)


def test_a_session_of_ours_is_never_opened_again(nas, client):
    assert report(nas, client, Class=b"ocs1;lab;ap-1;s1;00ff").opening is None
    assert report(nas, client).opening is not None


def test_use_that_was_buffered_is_charged_at_its_time(nas, client):
    late_s = NOW_S - RADIUS_LATE_REPORT_S
    late = report(nas, client, Event_Timestamp=late_s)
    assert late.request.event_time_s == late.counters.event_time_s == late_s
    assert report(nas, client, Event_Timestamp=late_s + 1).counters.event_time_s is None
    delayed = report(nas, client, Acct_Delay_Time=3600)
    assert delayed.counters.event_time_s == NOW_S - 3600


def test_the_client_s_rating_group_is_asked_for(nas, client):
    assert report(nas, client).request.services[0].rating_group is None
    grouped = report(nas, client._replace(rating_group=10))
    assert grouped.request.services[0].rating_group == 10


def test_a_report_without_a_session_or_beyond_reason_is_unusable(nas, client):
    with pytest.raises(UnusableReportError, match="names its session"):
        report(nas, client, session="")
    with pytest.raises(UnusableReportError, match="more than anybody"):
        report(nas, client, Acct_Input_Gigawords=(REPORTED_UNITS_MAX >> 32) + 1)
