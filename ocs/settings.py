"""``config/*.toml`` as typed settings.

Every key of the design exists from the start, so that a configuration written today stays valid. Loading, the
environment's overrides and the errors a user sees stand in :mod:`ocs.settings_file`.
"""

from pathlib import Path
from typing import Literal

import msgspec

Durability = Literal["memory", "fsync", "replicated"]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: a key that is not named here is an error."""


class PeerSettings(_Section, frozen=True, kw_only=True):
    """One entry of the allow-list ``[[diameter.peers]]``; ``origin_host = "*"`` lets every peer in.

    Attributes:
        tls: true: the peer is let in over TLS only, so that nobody takes its name on the port without. false: it may do
            without. Unsaid: over TLS only, when peers must show certificates (``tls_client_ca_file``).
    """

    origin_host: str
    origin_realm: str = ""
    tls: bool | None = None


class DiameterSettings(_Section, frozen=True, kw_only=True):
    """``[diameter]``: who we are, where we listen, whom we let in.

    Attributes:
        port: TCP; 0 is any free port. tls_port: TLS from the first byte; only with a certificate.
        hosts: further addresses to listen on beside ``host`` (IPv4 and IPv6).
        destination_hosts: further values of Destination-Host that mean us, as behind a virtual name;
            destination_realms: further realms that we serve.
        tls_client_ca_file: when set, peers must show a certificate of this authority that names their Origin-Host.
        tls_client_crl_file: the authority's list of revoked certificates; it must be renewed before it expires.
    """

    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    port: int = 3868
    tls_port: int = 5868
    tls_certificate_file: str = ""
    tls_key_file: str = ""
    tls_client_ca_file: str = ""
    tls_client_crl_file: str = ""
    origin_host: str = "ocs.lab.example"
    origin_realm: str = "lab.example"
    destination_hosts: tuple[str, ...] = ()
    destination_realms: tuple[str, ...] = ()
    product_name: str = "ocs-bss"
    watchdog_interval_s: float = 30.0
    peers: tuple[PeerSettings, ...] = (PeerSettings(origin_host="*"),)
    tolerate_unknown_mandatory_in: tuple[str, ...] = ("Service-Information",)


class StoreSettings(_Section, frozen=True, kw_only=True):
    """``[store]``: an empty ``url`` starts the embedded store on ``data_dir``.

    Attributes:
        url: one server (``redis``, ``rediss``, ``valkey``, ``valkeys``, ``unix``), ``redis+sentinel://H:P,H:P/NAME`` or
            ``redis+cluster://H:P,H:P`` (``rediss+`` for TLS).
        replicas: how many replicas must have a write before it is answered, under ``replicated``; it covers every
            replica that may be promoted.
        on_degraded: what is done when fewer have it in ``replication_timeout_s``: refuse (3004, the gateway can fail
            over), or answer what the primary alone has fsynced.
        events_memory_mib: room for charge events that the business side has not acknowledged; at half of it an
            operator is told.
        tls_ca_file: whom we believe that it is the store; tls_certificate_file, tls_key_file: who we are.
    """

    url: str = ""
    durability: Durability = "fsync"
    replicas: int = 1
    on_degraded: Literal["refuse", "fsync"] = "refuse"
    replication_timeout_s: float = 1.0
    data_dir: str = "data"
    partitions: int = 64
    events_memory_mib: int = 1024
    password_file: str = ""
    sentinel_password_file: str = ""
    tls_ca_file: str = ""
    tls_certificate_file: str = ""
    tls_key_file: str = ""


class ChargingSettings(_Section, frozen=True, kw_only=True):
    """``[charging]``: workers and the operator's credit-control policy.

    Attributes:
        supervision_time_s: Tcc, what is added to the longest Validity-Time of a session before it is closed
            unheard (RFC 8506 section 13: Tcc is at least twice the Validity-Time's wait).
        repeat_memory_s: how long the answers of a closed session wait for late repeats.
        cache_accounts: accounts (with their sessions) that a worker keeps in memory.
        show_remaining_balance: put 3GPP Remaining-Balance into answers.
        grant_share_percent: the part of what an account can pay that one grant may take, so that its other sessions
            find something; 100 lets one take all.
        refund_max: money, as text, that one refund of a gateway may be worth: the standard wants no debit before it, so
            this is what a gateway that errs, or is in wrong hands, can give away at once.
    """

    workers: int = 1
    supervision_time_s: int = 3600
    repeat_memory_s: int = 4 * 3600
    cache_accounts: int = 100_000
    queue_requests: int = 4096
    show_remaining_balance: bool = False
    grant_share_percent: int = 50
    refund_max: str = "50.00"
    session_failover: bool = True
    credit_control_failure_handling: Literal["terminate", "continue", "retry_and_terminate"] = "terminate"


class AccountsSettings(_Section, frozen=True, kw_only=True):
    """``[accounts]``: when holders are told, and how long an account lives in which state (days; 0 is for ever).

    Attributes:
        bundle_notice_percents: parts of an allowance at whose use a notice goes out; ascending.
        limit_notice_percents: parts of a credit limit, or of a member's limit (bill shock).
        low_balance: money, as text, below which an account without credit is low; "0" tells nothing.
        starts_created: a new account waits for its first use or top-up, which makes it active.
        active_days: from there; top_up_days: at least so long from every top-up.
        one_way_barred_days: reachable, not originating; then expired; then, after expired_days, numbers are given back.
    """

    bundle_notice_percents: tuple[int, ...] = (50, 80, 100)
    limit_notice_percents: tuple[int, ...] = (80, 100)
    low_balance: str = "0"
    starts_created: bool = False
    active_days: int = 0
    top_up_days: int = 0
    one_way_barred_days: int = 0
    expired_days: int = 0


class VoucherSettings(_Section, frozen=True, kw_only=True):
    """``[vouchers]``: the key under which codes are stored, and how many guesses are too many.

    Attributes:
        secret_file: key of the codes' digests; empty: ``voucher.key`` in the data folder, made with the first batch.
        guesses_max: wrong codes of one account before it is locked out for guess_lockout_s; guesses_total_max: of all
            accounts together in the same time, an attack from many.
    """

    secret_file: str = ""
    guesses_max: int = 5
    guesses_total_max: int = 10_000
    guess_lockout_s: int = 3600


class CatalogueSettings(_Section, frozen=True, kw_only=True):
    """``[catalogue]``: the folder with offers, relative to the configuration file."""

    path: str = "catalogue"


class HttpSettings(_Section, frozen=True, kw_only=True):
    """``[http]``: health, metrics, portals and APIs.

    Attributes:
        reads_need_token: also on loopback, where this machine's own users read without one otherwise.
        hub_callbacks: origins such as ``http://127.0.0.1:9000`` that listeners may register although they are not
            https to a public address.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    reads_need_token: bool = False
    hub_callbacks: tuple[str, ...] = ()


class SnmpUserSettings(_Section, frozen=True, kw_only=True):
    """One entry of ``[[snmp.users]]``: a user of the User-based Security Model (RFC 3414, RFC 7860, RFC 3826).

    Attributes:
        authentication_file: holds the password, at least 8 characters (RFC 3414 section 11.2). privacy_file: likewise.
    """

    name: str
    authentication: Literal["none", "md5", "sha1", "sha224", "sha256", "sha384", "sha512"] = "none"
    authentication_file: str = ""
    privacy: Literal["none", "des", "aes128", "aes192", "aes256"] = "none"
    privacy_file: str = ""


class SnmpSettings(_Section, frozen=True, kw_only=True):
    """``[snmp]``: where traps and informs arrive, and from whom.

    Attributes:
        port: UDP; 0 is any free port, -1 serves no SNMP.
        communities_file: one community of v1 and v2c a line; empty accepts every community while we listen on a
            loopback address, and none otherwise.
        trusted_proxies: addresses or networks whose word on the agent's address is believed (RFC 3584 section 3.1).
        traps_per_source_per_s: one source's ration; what clears an alarm passes above it. 0: no ration.
        engine_id: of ours, hexadecimal (RFC 3411 section 5); empty: made once and kept in the store.
    """

    host: str = "127.0.0.1"
    port: int = 10162
    communities_file: str = ""
    users: tuple[SnmpUserSettings, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    traps_per_source_per_s: int = 1_000
    engine_id: str = ""


class FaultsSettings(_Section, frozen=True, kw_only=True):
    """``[faults]``: what traps mean, and what depends on what.

    Attributes:
        rules: folder of alarm rules, by the configuration file. topology: folder of elements, links and services, or
            ``inventory``: they are read from there.
        walks: folder of tables that elements are asked for. mibs: folder of the operator's own compiled MIBs; relative
            to the data folder.
        history_days: how long the history of alarms is kept.
    """

    rules: str = "alarms"
    topology: str = "topology"
    walks: str = "walks"
    mibs: str = "mibs"
    history_days: int = 365


class RecipientSettings(_Section, frozen=True, kw_only=True):
    """One entry of ``[[notices.recipients]]``: who is told of alarms, by exactly one of mail, webhook and snmp.

    Attributes:
        name: do not change it while something waits for the recipient.
        mail: addresses. webhook: an https address, or one that ``[http] hub_callbacks`` names. snmp: ``ADDRESS:PORT``
            of a manager above us.
        severity: alarms at least so severe. resource: of this one and what is within it; empty: of all.
        events: what must have happened.
        digest_s: after a mail or a post, what follows is collected for so long.
        secret_file: signs what is posted; for a manager its community of v2c.
        user: of ``[[snmp.users]]``, for a manager that speaks v3. informs: whether the manager acknowledges.
    """

    name: str
    mail: tuple[str, ...] = ()
    webhook: str = ""
    snmp: str = ""
    severity: Literal["indeterminate", "warning", "minor", "major", "critical"] = "major"
    resource: str = ""
    events: tuple[Literal["raised", "changed", "cleared", "escalated", "operated"], ...] = (
        "raised",
        "changed",
        "cleared",
        "escalated",
    )
    digest_s: int = 0
    secret_file: str = ""
    user: str = ""
    informs: bool = True


class NoticesSettings(_Section, frozen=True, kw_only=True):
    """``[notices]``: the mail server, and who is told of alarms.

    Attributes:
        mail_host: empty: no mail is sent. mail_sender: the address that mails come from.
        mail_tls: ``starttls`` after the greeting, ``tls`` from the first octet, or ``none`` on a trusted way.
    """

    mail_host: str = ""
    mail_port: int = 587
    mail_sender: str = ""
    mail_tls: Literal["starttls", "tls", "none"] = "starttls"
    mail_user: str = ""
    mail_password_file: str = ""
    recipients: tuple[RecipientSettings, ...] = ()


class ElementCredentialSettings(_Section, frozen=True, kw_only=True):
    """One entry of ``[[provisioning.credentials]]``: how we say who we are to network elements.

    Attributes:
        name: what elements in the inventory refer to.
        password_file, key_file: the secret, by exactly one of these and ``agent``. key_file: a private key of OpenSSH's
            form; its passphrase, if it has one, in key_passphrase_file.
        agent: the keys of the SSH agent that ``SSH_AUTH_SOCK`` names.
        enable_file: the second password of command lines that ask for one.
    """

    name: str
    user: str
    password_file: str = ""
    key_file: str = ""
    key_passphrase_file: str = ""
    agent: bool = False
    enable_file: str = ""


class ProvisioningSettings(_Section, frozen=True, kw_only=True):
    """``[provisioning]``: how network elements are configured.

    Attributes:
        sessions_max: sessions with elements at once; 0: no element process.
        types: folder of element types, by the configuration file. yang: folder of YANG modules. golden: folder of rules
            that every element's configuration must keep.
        secrets_dir: folder of files, each the value of one ``secret:NAME`` in a configuration; empty: there are none.
        confirm_timeout_s: how long an element waits for the confirmation of a commit before it undoes it.
        drift_interval_s: how often each element is compared with what services want, also when it told of no change.
    """

    sessions_max: int = 512
    types: str = "network/types"
    yang: str = "network/yang"
    golden: str = "network/golden"
    secrets_dir: str = ""
    confirm_timeout_s: int = 120
    drift_interval_s: int = 3_600
    credentials: tuple[ElementCredentialSettings, ...] = ()


class InventorySettings(_Section, frozen=True, kw_only=True):
    """``[inventory]``: what the network consists of.

    Attributes:
        key_file: 32 octets in hexadecimal that encrypt the keys (Ki) of SIMs; empty: ``inventory.key`` in the data
            folder, made with the first SIM.
        reservation_s: how long what was reserved and not used stays reserved.
        quarantine_days: how long a number rests before it is given to somebody else.
    """

    key_file: str = ""
    reservation_s: int = 86_400
    quarantine_days: int = 90


class RadiusClientSettings(_Section, frozen=True, kw_only=True):
    """One entry of ``[[radius.clients]]``: a network access server, or the proxy before several.

    Attributes:
        name: a part of session ids: do not change it while sessions are open.
        address: an IP address or a network such as ``10.1.0.0/16``.
        secret_file: the shared secret, at least 16 characters (RFC 2865 section 3).
        coa_port: where it takes CoA- and Disconnect-Requests; 0 where it takes none.
        rating_group: under which its traffic is rated; unsaid: without one.
    """

    name: str
    address: str
    secret_file: str
    coa_port: int = 3799
    rating_group: int | None = None


class RadiusSettings(_Section, frozen=True, kw_only=True):
    """``[radius]``: authorisation and accounting for Wi-Fi and fixed access.

    Attributes:
        auth_port: UDP, 1812 by custom; 0 is any free port, -1 serves no RADIUS. acct_port: likewise, 1813.
        interim_interval_s: how often sessions report, unless their quota ends sooner.
    """

    host: str = "127.0.0.1"
    auth_port: int = -1
    acct_port: int = -1
    interim_interval_s: int = 600
    clients: tuple[RadiusClientSettings, ...] = ()


class SqlSettings(_Section, frozen=True, kw_only=True):
    """``[sql]``: the database of history, inventory and the business side.

    Attributes:
        url: ``sqlite:///PATH`` or ``postgresql://USER@HOST:PORT/DATABASE``; empty is SQLite in the data folder.
        password_file: of PostgreSQL's user.
    """

    url: str = ""
    password_file: str = ""


class LogSettings(_Section, frozen=True, kw_only=True):
    """``[log]``: what is written, and whether subscribers' identities are masked in it."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    mask_identities: bool = False
    success_sample: int = 1000


class Settings(_Section, frozen=True, kw_only=True):
    """The whole configuration.

    Attributes:
        directory: where the file stands; relative paths in it start here. Set by the loader.
    """

    diameter: DiameterSettings = DiameterSettings()
    store: StoreSettings = StoreSettings()
    charging: ChargingSettings = ChargingSettings()
    accounts: AccountsSettings = AccountsSettings()
    vouchers: VoucherSettings = VoucherSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    http: HttpSettings = HttpSettings()
    snmp: SnmpSettings = SnmpSettings()
    faults: FaultsSettings = FaultsSettings()
    notices: NoticesSettings = NoticesSettings()
    provisioning: ProvisioningSettings = ProvisioningSettings()
    inventory: InventorySettings = InventorySettings()
    radius: RadiusSettings = RadiusSettings()
    sql: SqlSettings = SqlSettings()
    log: LogSettings = LogSettings()
    directory: Path = Path()


def resolve_path(settings: Settings, path: str) -> Path:
    """Where a path of the configuration leads: relative ones start at the configuration file's folder."""
    return settings.directory / Path(path).expanduser()
