"""Notices by e-mail: one alarm is one mail, many are one too, worst first."""

import hashlib
import smtplib
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Final, Literal

import msgspec
import trio

from ocs.faults.alarm import Alarm, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.notices.sender import NoticeFailedError, NoticeRefusedError
from ocs.limits import MAIL_NOTICES_MAX, MAIL_SUBJECT_CHARACTERS_MAX, MAIL_TIMEOUT_S

# RFC 5321 section 4.2.1: a reply 5yz is final. RFC 4954 section 6: these speak of us, not of the mail.
_FINAL_FROM: Final = 500
_ABOUT_US: Final = frozenset({530, 534, 535, 538})


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """The server that takes our mail.

    Attributes:
        tls: ``starttls`` after the greeting, ``tls`` from the first octet, or ``none`` on a trusted way.
        user: empty for no authentication.
    """

    host: str
    port: int
    sender: str
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""


class MailSender:
    """Sends to the addresses of one recipient."""

    def __init__(self, server: MailServer, addresses: Sequence[str]) -> None:
        self.batch_max = MAIL_NOTICES_MAX
        self._server = server
        self._addresses = tuple(addresses)

    async def send(self, changes: Sequence[AlarmChange]) -> None:
        """Send one mail. Cancelled, it may have been sent."""
        message = compose(changes, sender=self._server.sender, addresses=self._addresses)
        try:
            await trio.to_thread.run_sync(self._deliver, message, abandon_on_cancel=True)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise _failure(min(codes), f"no recipient was accepted: {codes}") from None
        except smtplib.SMTPResponseException as error:
            text = error.smtp_error
            words = text.decode(errors="replace") if isinstance(text, bytes) else text
            raise _failure(error.smtp_code, f"{error.smtp_code} {words}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NoticeFailedError(
                f"the mail server was not reached: {error or type(error).__name__}"
            ) from None

    def _deliver(self, message: EmailMessage) -> None:
        server = self._server
        if server.tls == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=MAIL_TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=MAIL_TIMEOUT_S)
        with connection:
            if server.tls == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if server.user:
                connection.login(server.user, server.password)
            connection.send_message(message)


def _failure(code: int, reason: str) -> Exception:
    is_final = code >= _FINAL_FROM and code not in _ABOUT_US
    return NoticeRefusedError(reason) if is_final else NoticeFailedError(reason)


def compose(changes: Sequence[AlarmChange], *, sender: str, addresses: Sequence[str]) -> EmailMessage:
    """A mail about changes: the alarm itself in the subject of one, counts in that of many. Pure.

    The same changes make a mail with the same Message-ID, so that one that was sent again can be told.
    """
    told = [(change, change.alarm) for change in changes if change.alarm is not None]
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(addresses)
    message["Subject"] = _subject(told)
    digest = hashlib.blake2b("".join(change.change_id for change in changes).encode(), digest_size=16)
    message["Message-ID"] = f"<{digest.hexdigest()}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    worst_first = sorted(told, key=lambda one: (one[1].is_cleared, -one[1].severity))
    message.set_content("\n\n".join(_paragraph(change, alarm) for change, alarm in worst_first) + "\n")
    return message


Told = list[tuple[AlarmChange, Alarm]]


def _subject(told: Told) -> str:
    """One line without what a header may not hold: devices choose the text."""
    if len(told) == 1:
        ((change, alarm),) = told
        text = f"[{_word(change, alarm)}] {alarm.key.resource}: {alarm.text}"
    else:
        words = [_word(change, alarm) for change, alarm in told]
        counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
        text = f"{len(told)} alarms: {counts}"
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain[:MAIL_SUBJECT_CHARACTERS_MAX]


def _word(change: AlarmChange, alarm: Alarm) -> str:
    if change.kind is ChangeKind.CLEARED or alarm.is_cleared:
        return Severity.CLEARED.name.lower()
    return alarm.severity.name.lower()


def _paragraph(change: AlarmChange, alarm: Alarm) -> str:
    at = datetime.fromtimestamp(change.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = [
        f"{_word(change, alarm).upper()}  {alarm.key.resource}",
        f"  {alarm.text}",
        f"  {change.told_as} {at}",
    ]
    if alarm.affected_services:
        services = ", ".join(alarm.affected_services)
        lines.append(f"  affected: {services}; {alarm.affected_subscribers} subscribers")
    if alarm.symptoms:
        lines.append(f"  explains {alarm.symptoms} other alarms")
    if alarm.repair:
        lines.append(f"  repair: {alarm.repair}")
    lines.append(f"  ocs alarms show {alarm.alarm_id}")
    return "\n".join("".join(letter if letter.isprintable() else " " for letter in line) for line in lines)
