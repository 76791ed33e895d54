"""Notices by e-mail, to a real mail server: one alarm in the subject, many in one mail, what is refused and what is not."""

import email
import email.policy
from typing import Any

import msgspec
import pytest
import trio

from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.notices.mail import MailSender, MailServer, compose
from ocs.faults.notices.sender import NoticeFailedError, NoticeRefusedError
from tests.support.alarms import alarm_of, change_of
from tests.support.mail_server import FakeMailServer

pytestmark = pytest.mark.bounded(60)

A = alarm_of(
    "router1",
    severity=Severity.CRITICAL,
    text="card 3 failed",
    affected_services=("lte",),
    affected_subscribers=7,
)
OVER = msgspec.structs.replace(alarm_of("router2"), is_cleared=True)


@pytest.fixture
async def server(nursery: trio.Nursery) -> FakeMailServer:
    server = FakeMailServer()
    await server.start(nursery)
    return server


def sender(server: FakeMailServer, **more) -> MailSender:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": server.port,
        "sender": "ocs@example.net",
        "tls": "none",
    }
    return MailSender(MailServer(**settings | more), ("noc@example.net", "night@example.net"))


async def test_one_alarm_is_one_mail_with_the_alarm_in_its_subject(server):
    await sender(server).send([change_of(A)])
    (text,) = server.mails
    mail = email.message_from_string(text, policy=email.policy.default)
    assert mail["Subject"] == "[critical] router1: card 3 failed"
    assert mail["To"] == "noc@example.net, night@example.net"
    body = mail.get_content()
    assert "affected: lte; 7 subscribers" in body and f"ocs alarms show {A.alarm_id}" in body


async def test_many_alarms_are_one_mail_that_counts_them_worst_first(server):
    minor = alarm_of("router9", severity=Severity.MINOR)
    await sender(server).send([change_of(minor), change_of(OVER, ChangeKind.CLEARED), change_of(A)])
    (text,) = server.mails
    mail = email.message_from_string(text, policy=email.policy.default)
    assert mail["Subject"] == "3 alarms: 1 minor, 1 cleared, 1 critical"
    first, second, third = mail.get_content().strip().split("\n\n")
    assert (first[:8], second[:5], third[:7]) == ("CRITICAL", "MINOR", "CLEARED")


def test_text_of_a_device_makes_no_headers_and_moves_no_cursor():
    evil = msgspec.structs.replace(A, text="x\r\nBcc: all@example.net\x1b[2J" + "y" * 500)
    mail = compose([change_of(evil)], sender="ocs@example.net", addresses=("noc@example.net",))
    assert "Bcc" not in mail
    assert "\n" not in mail["Subject"] and len(mail["Subject"]) <= 200
    assert "\x1b" not in mail.get_content()


def test_mail_that_is_sent_again_has_the_same_id():
    changes = [change_of(A), change_of(OVER)]
    first, again, other = (
        compose(chosen, sender="ocs@example.net", addresses=("a@b.example",))["Message-ID"]
        for chosen in (changes, changes, changes[:1])
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ({"RCPT": "550 no such user"}, NoticeRefusedError),
        ({"RCPT": "450 try later"}, NoticeFailedError),
        ({"MAIL": "530 authentication required"}, NoticeFailedError),
        ({"DATA": "552 too much"}, NoticeRefusedError),
        ({"DATA": "451 out of order"}, NoticeFailedError),
    ],
)
async def test_mail_that_is_not_taken_is_refused_for_ever_or_tried_again(server, replies, error):
    server.replies = replies
    with pytest.raises(error):
        await sender(server).send([change_of(A)])


async def test_server_that_is_away_or_without_tls_is_a_failure(server):
    with pytest.raises(NoticeFailedError):
        await sender(server, tls="starttls").send([change_of(A)])
    with pytest.raises(NoticeFailedError):
        await sender(server, port=1).send([change_of(A)])
    assert server.mails == []
