"""Recipients as the settings name them, with what carries their notices."""

from pathlib import Path
from typing import Any

import pytest

from ocs.alarm_notices import notice_service
from ocs.api.alarms.webhook import WebhookSender
from ocs.clock import ManualClock
from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.notices.mail import MailSender
from ocs.faults.notices.manager import ManagerSender
from ocs.faults.notices.service import Mailing
from ocs.settings_file import SettingsError, load_settings

MAIL = 'mail_host = "127.0.0.1"\nmail_sender = "ocs@example.net"\n'


def mailings(folder: Path, *recipients: str, head: str = MAIL, more: str = "") -> tuple[Mailing, ...]:
    """The mailings that a file means."""
    entries = "".join(f"[[notices.recipients]]\n{one}\n" for one in recipients)
    file = folder / "ocs.toml"
    file.write_text(f"{more}\n[notices]\n{head}{entries}")
    client: Any = None
    return notice_service(load_settings(file, {}), client, ManualClock(0))._mailings


def secret(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text)
    file.chmod(0o600)
    return name


def test_each_kind_of_recipient_gets_its_sender(tmp_path):
    community = secret(tmp_path, "community", "public")
    password = secret(tmp_path, "password", "authpass12")
    user = f'[[snmp.users]]\nname = "noc"\nauthentication = "sha256"\nauthentication_file = "{password}"\n'
    found = mailings(
        tmp_path,
        'name = "night"\nmail = ["a@example.net"]\nseverity = "critical"\ndigest_s = 300\nresource = "router1"',
        'name = "chat"\nwebhook = "https://chat.example/hook"\nevents = ["raised"]',
        f'name = "umbrella"\nsnmp = "192.0.2.1:162"\nsecret_file = "{community}"\ninforms = false',
        'name = "partner"\nsnmp = "[2001:db8::1]:162"\nuser = "noc"',
        more=user,
    )
    kinds = [type(sender) for _, sender in found]
    assert kinds == [MailSender, WebhookSender, ManagerSender, ManagerSender]
    night, chat = found[0].recipient, found[1].recipient
    assert (night.severity, night.digest_s, night.resource) == (Severity.CRITICAL, 300, "router1")
    assert chat.kinds == {ChangeKind.RAISED}
    managers: Any = [found[place].sender for place in (2, 3)]
    umbrella, partner = (sender._manager for sender in managers)
    assert (umbrella.secrets.community, umbrella.is_inform) == ("public", False)
    assert (partner.host, partner.port, partner.secrets.user) == ("2001:db8::1", 162, "noc")


@pytest.mark.parametrize(
    ("recipient", "words"),
    [
        ('name = "x"', "exactly one"),
        ('name = "x"\nmail = ["a@b.example"]\nwebhook = "https://a.example"', "exactly one"),
        ('name = "a b"\nmail = ["a@b.example"]', "name"),
        ('name = "x"\nmail = ["nobody"]', "mail"),
        ('name = "x"\nsnmp = "manager:162"\nsecret_file = "f"', "snmp"),
        ('name = "x"\nsnmp = "192.0.2.1:162"', "community"),
        ('name = "x"\nsnmp = "192.0.2.1:162"\nuser = "nobody"', "user"),
        ('name = "x"\nmail = ["a@b.example"]\ndigest_s = -1', "digest_s"),
        ('name = "x"\nmail = ["a@b.example"]\nevents = ["odd"]', "events"),
        ('name = "x"\nwebhook = "http://chat.example/"', "hub_callbacks"),
        ('name = "x"\nwebhook = "https://a.example"\nsecret_file = "missing"', "missing"),
    ],
)
def test_recipient_that_cannot_be_told_is_refused_with_one_line(tmp_path, recipient, words):
    with pytest.raises(SettingsError, match=words) as refused:
        mailings(tmp_path, recipient)
    assert "\n" not in str(refused.value)


def test_two_recipients_of_one_name_are_refused(tmp_path):
    one = 'name = "x"\nmail = ["a@b.example"]'
    with pytest.raises(SettingsError, match="nobody else"):
        mailings(tmp_path, one, one)


def test_mail_without_a_server_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="mail_host"):
        mailings(tmp_path, 'name = "x"\nmail = ["a@b.example"]', head="")
