"""The recipients of alarms as the settings name them, and what tells them."""

from ocs.api.alarms.webhook import WebhookSender
from ocs.api.tmf.callback import CallbackError, CallbackPolicy
from ocs.balance.store_client import StoreClient
from ocs.clock import Clock
from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.notices.mail import MailSender, MailServer
from ocs.faults.notices.outbox import Outbox
from ocs.faults.notices.recipient import Recipient
from ocs.faults.notices.sender import Sender
from ocs.faults.notices.service import GROUP, Mailing, NoticeService
from ocs.faults.resync.agent import Secrets
from ocs.faults.store.change_group import ChangeGroup
from ocs.secret_file import read_secret_file
from ocs.settings import RecipientSettings, Settings, resolve_path
from ocs.settings_file import SettingsError


def notice_service(settings: Settings, client: StoreClient, clock: Clock) -> NoticeService:
    """What tells all recipients; reads their secrets, and blocks for that.

    Raises:
        SettingsError: a webhook's address is none that we call. SecretFileError: a secret cannot be read.
    """
    mailings = [_mailing(settings, one) for one in settings.notices.recipients]
    return NoticeService(ChangeGroup(client, GROUP), Outbox(client), mailings, clock)


def _mailing(settings: Settings, one: RecipientSettings) -> Mailing:
    recipient = Recipient(
        name=one.name,
        severity=Severity[one.severity.upper()],
        resource=one.resource,
        kinds=frozenset(ChangeKind(event) for event in one.events),
        digest_s=one.digest_s,
    )
    return Mailing(recipient, _sender(settings, one))


def _sender(settings: Settings, one: RecipientSettings) -> Sender:
    if one.mail:
        notices = settings.notices
        server = MailServer(
            host=notices.mail_host,
            port=notices.mail_port,
            sender=notices.mail_sender,
            tls=notices.mail_tls,
            user=notices.mail_user,
            password=_secret(settings, notices.mail_password_file),
        )
        return MailSender(server, one.mail)
    if one.webhook:
        policy = CallbackPolicy(settings.http.hub_callbacks)
        try:
            return WebhookSender(
                policy, one.webhook, name=one.name, secret=_secret(settings, one.secret_file)
            )
        except CallbackError as error:
            raise SettingsError(f"notices.recipients: {one.name}: {error}") from None
    return _manager_sender(settings, one)


def _manager_sender(settings: Settings, one: RecipientSettings) -> Sender:
    # pysnmp takes a second to load: only where there is a manager.
    from ocs.faults.notices.manager import Manager, ManagerSender  # noqa: PLC0415

    host, _, port = one.snmp.rpartition(":")
    secrets = Secrets(community=_secret(settings, one.secret_file))
    for user in settings.snmp.users:
        if one.user and user.name == one.user:
            secrets = Secrets(
                user=user.name,
                authentication=user.authentication,
                authentication_password=_secret(settings, user.authentication_file),
                privacy=user.privacy,
                privacy_password=_secret(settings, user.privacy_file),
            )
    return ManagerSender(
        Manager(host=host.strip("[]"), port=int(port), secrets=secrets, is_inform=one.informs)
    )


def _secret(settings: Settings, file: str) -> str:
    return read_secret_file(resolve_path(settings, file)) if file else ""
