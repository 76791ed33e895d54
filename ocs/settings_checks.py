"""What a configuration must hold beyond its types: ranges, keys that need each other, files that can be read."""

import ipaddress
import re
from typing import Any, Final
from urllib.parse import urlsplit

from ocs.secret_file import SecretFileError, read_secret_file
from ocs.settings import (
    AccountsSettings,
    DiameterSettings,
    FaultsSettings,
    ProvisioningSettings,
    RadiusSettings,
    RecipientSettings,
    Settings,
    SnmpSettings,
    resolve_path,
)
from ocs.store_url import StoreUrl, StoreUrlError, parse_store_url
from ocs.units import AmountError, parse_micro

SQL_SCHEMES: Final = ("sqlite", "postgresql")

_PORT: Final = (0, 65_535)
RANGES: Final[dict[str, tuple[float, float]]] = {
    "diameter.port": _PORT,
    "diameter.tls_port": _PORT,
    "http.port": _PORT,
    "snmp.port": (-1, 65_535),
    "snmp.traps_per_source_per_s": (0, 1_000_000),
    "faults.history_days": (1, 36_500),
    "notices.mail_port": (1, 65_535),
    "provisioning.sessions_max": (0, 4_096),
    # RFC 6241 section 8.4: seconds; below half a minute a slow element could not be verified in time.
    "provisioning.confirm_timeout_s": (30, 3_600),
    "provisioning.drift_interval_s": (60, 86_400 * 7),
    "inventory.reservation_s": (60, 86_400 * 365),
    "inventory.quarantine_days": (0, 3_650),
    "radius.auth_port": (-1, 65_535),
    "radius.acct_port": (-1, 65_535),
    # RFC 2869 section 2.1: not below a minute.
    "radius.interim_interval_s": (60, 86_400),
    # RFC 3539 section 3.4.1: Twinit is never below 6 s.
    "diameter.watchdog_interval_s": (6, 600),
    "store.replicas": (1, 16),
    # Below the time after which a commit's outcome counts as unknown (limits.STORE_TIMEOUT_S).
    "store.replication_timeout_s": (0.01, 2),
    "store.partitions": (1, 1_024),
    "store.events_memory_mib": (1, 16_777_216),
    "charging.workers": (1, 64),
    "charging.supervision_time_s": (10, 86_400 * 7),
    "charging.repeat_memory_s": (60, 86_400 * 30),
    "charging.grant_share_percent": (10, 100),
    "charging.cache_accounts": (0, 100_000_000),
    "charging.queue_requests": (1, 1_000_000),
    # A hundred years: longer is for ever, which is written as 0.
    "accounts.active_days": (0, 36_500),
    "accounts.top_up_days": (0, 36_500),
    "accounts.one_way_barred_days": (0, 36_500),
    "accounts.expired_days": (0, 36_500),
    "vouchers.guesses_max": (1, 1_000),
    "vouchers.guesses_total_max": (1, 1_000_000_000),
    "vouchers.guess_lockout_s": (1, 86_400 * 30),
    "log.success_sample": (0, 1_000_000_000),
}
# A DiameterIdentity is an FQDN (RFC 6733 section 4.3.1): labels of RFC 1034, and the underscores that labs use.
_IDENTITY: Final = re.compile(
    r"(?=.{1,255}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?"
)
# Scheme, host and port, without a path (RFC 6454 section 6.2).
_ORIGIN: Final = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_MAIL_ADDRESS: Final = re.compile(r"[^@\s,<>]{1,64}@[^@\s,<>]{1,255}")
_CLIENT_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
# RFC 2865 section 3: at least 16 octets.
_RADIUS_SECRET_OCTETS_MIN: Final = 16
# RFC 3414 section 5: usmUserName. RFC 3411 section 5: SnmpEngineID. RFC 3414 section 11.2: a password.
_SNMP_NAME_OCTETS_MAX: Final = 32
_ENGINE_ID: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){5,32}")
_SNMP_PASSWORD_OCTETS_MIN: Final = 8


class BadKeyError(Exception):
    """One key is wrong; the loader adds where it was written."""

    def __init__(self, key: str, expectation: str) -> None:
        super().__init__(f"{key}: {expectation}")
        self.key = key
        self.expectation = expectation


def shown(value: Any) -> str:
    """A value as an error line quotes it: one line, 80 characters at most."""
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return one_line(text if len(text) <= 80 else text[:77] + "...")


def one_line(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


def check_settings(settings: Settings) -> None:
    """Check what the types cannot say."""
    for key, (lowest, highest) in RANGES.items():
        section, _, name = key.partition(".")
        value = getattr(getattr(settings, section), name)
        if not lowest <= value <= highest:
            kind = "a number" if isinstance(value, float) else "an integer"
            raise BadKeyError(key, f"expected {kind} from {lowest:g} to {highest:g}, got {value}")
    _check_diameter(settings)
    _check_store(settings)
    _check_radius(settings.radius)
    _check_snmp(settings.snmp)
    _check_notices(settings)
    _check_credentials(settings.provisioning)
    for section in ("http", "snmp", "radius"):
        _check_address(f"{section}.host", getattr(settings, section).host)
    for index, origin in enumerate(settings.http.hub_callbacks):
        match = _ORIGIN.fullmatch(origin)
        if match is None or int(match[1] or 0) > _PORT[1]:
            raise BadKeyError(
                f"http.hub_callbacks[{index}]",
                f"expected an origin such as http://127.0.0.1:9000, got {origin!r}",
            )
    scheme = urlsplit(settings.sql.url).scheme.partition("+")[0]
    if settings.sql.url and scheme not in SQL_SCHEMES:
        raise BadKeyError(
            "sql.url", f"expected an address that begins with {' or '.join(SQL_SCHEMES)}, got {scheme!r}"
        )
    if settings.sql.password_file and scheme != "postgresql":
        raise BadKeyError("sql.password_file", "needs postgresql://USER@HOST:PORT/DATABASE in sql.url")
    if not settings.catalogue.path:
        raise BadKeyError("catalogue.path", "expected the folder with the offers")
    _check_accounts(settings.accounts)
    _check_amount("charging.refund_max", settings.charging.refund_max)


def _check_accounts(accounts: AccountsSettings) -> None:
    for name in ("bundle_notice_percents", "limit_notice_percents"):
        percents: tuple[int, ...] = getattr(accounts, name)
        if list(percents) != sorted(set(percents)) or not all(1 <= percent <= 100 for percent in percents):
            raise BadKeyError(
                f"accounts.{name}", "expected percentages from 1 to 100, each greater than the one before"
            )
    _check_amount("accounts.low_balance", accounts.low_balance)


def _check_amount(key: str, written: str) -> None:
    try:
        micro = parse_micro(written)
    except AmountError as error:
        raise BadKeyError(key, str(error)) from None
    if micro < 0:
        raise BadKeyError(key, 'expected an amount such as "2.00", or "0"')


def _check_diameter(settings: Settings) -> None:
    diameter = settings.diameter
    for name in ("origin_host", "origin_realm"):
        _check_identity(f"diameter.{name}", getattr(diameter, name))
    if not diameter.product_name:
        raise BadKeyError(
            "diameter.product_name", "expected a text that is not empty (RFC 6733 section 5.3.7)"
        )
    _check_address("diameter.host", diameter.host)
    for index, host in enumerate(diameter.hosts):
        _check_address(f"diameter.hosts[{index}]", host)
    if not diameter.peers:
        raise BadKeyError("diameter.peers", "expected at least one peer, or nobody can connect")
    for name in ("destination_hosts", "destination_realms"):
        for index, identity in enumerate(getattr(diameter, name)):
            _check_identity(f"diameter.{name}[{index}]", identity)
    for index, peer in enumerate(diameter.peers):
        if peer.origin_realm:
            _check_identity(f"diameter.peers[{index}].origin_realm", peer.origin_realm)
        if peer.origin_host != "*":
            _check_identity(f"diameter.peers[{index}].origin_host", peer.origin_host)
            continue
        open_host = next((host for host in (diameter.host, *diameter.hosts) if not is_loopback(host)), None)
        if open_host is not None:
            raise BadKeyError(
                f"diameter.peers[{index}].origin_host",
                f'"*" lets every peer in, which is allowed on loopback only, and {open_host} is listened on:'
                " name each peer",
            )
    _check_diameter_tls(diameter)


def _check_diameter_tls(diameter: DiameterSettings) -> None:
    """Refuse what would be silently without effect, or let nobody in."""
    for index, peer in enumerate(diameter.peers):
        if peer.tls and not diameter.tls_certificate_file:
            raise BadKeyError(
                f"diameter.peers[{index}].tls",
                "without diameter.tls_certificate_file there is no TLS port, and this peer could never connect",
            )
    if bool(diameter.tls_certificate_file) != bool(diameter.tls_key_file):
        missing = "tls_key_file" if diameter.tls_certificate_file else "tls_certificate_file"
        raise BadKeyError(
            f"diameter.{missing}", "TLS needs the certificate and its key, and only the other is set"
        )
    for name, needed in (
        ("tls_client_crl_file", "tls_client_ca_file"),
        ("tls_client_ca_file", "tls_certificate_file"),
    ):
        if getattr(diameter, name) and not getattr(diameter, needed):
            raise BadKeyError(f"diameter.{needed}", f"required because diameter.{name} is set")
    if diameter.tls_certificate_file and diameter.port == diameter.tls_port != 0:
        raise BadKeyError("diameter.tls_port", "expected another port than diameter.port")


def _check_radius(radius: RadiusSettings) -> None:
    if (radius.auth_port < 0) != (radius.acct_port < 0):
        off = "auth_port" if radius.auth_port < 0 else "acct_port"
        raise BadKeyError(
            f"radius.{off}", "authorisation and accounting are served together: set both ports, or neither"
        )
    if radius.auth_port >= 0 and not radius.clients:
        raise BadKeyError("radius.clients", "expected at least one client, or nobody is served")
    if radius.auth_port == radius.acct_port > 0:
        raise BadKeyError("radius.acct_port", "expected another port than radius.auth_port")
    names: set[str] = set()
    for index, client in enumerate(radius.clients):
        key = f"radius.clients[{index}]"
        if not _CLIENT_NAME.fullmatch(client.name) or client.name in names:
            raise BadKeyError(
                f"{key}.name",
                f"expected letters, digits, - and _ (32 at most) that no other client has, got {shown(client.name)}",
            )
        names.add(client.name)
        try:
            ipaddress.ip_network(client.address)
        except ValueError:
            raise BadKeyError(
                f"{key}.address",
                f"expected an IP address or a network such as 10.1.0.0/16, got {shown(client.address)}",
            ) from None
        if not 0 <= client.coa_port <= _PORT[1]:
            raise BadKeyError(
                f"{key}.coa_port", f"expected an integer from 0 to 65535, got {client.coa_port}"
            )


def _check_snmp(snmp: SnmpSettings) -> None:
    names: set[str] = set()
    for index, user in enumerate(snmp.users):
        key = f"snmp.users[{index}]"
        if not 1 <= len(user.name.encode()) <= _SNMP_NAME_OCTETS_MAX or user.name in names:
            raise BadKeyError(
                f"{key}.name", f"expected 1 to 32 octets that no other user has, got {shown(user.name)}"
            )
        names.add(user.name)
        if user.privacy != "none" and user.authentication == "none":
            raise BadKeyError(f"{key}.authentication", "privacy needs it too (RFC 3414 section 1.4.2)")
        for name in ("authentication", "privacy"):
            if (getattr(user, name) != "none") != bool(getattr(user, f"{name}_file")):
                raise BadKeyError(f"{key}.{name}_file", f"goes with {name}: set both, or neither")
    for index, proxy in enumerate(snmp.trusted_proxies):
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            raise BadKeyError(
                f"snmp.trusted_proxies[{index}]",
                f"expected an IP address or a network such as 10.1.0.0/16, got {shown(proxy)}",
            ) from None
    if snmp.engine_id and not _ENGINE_ID.fullmatch(snmp.engine_id):
        raise BadKeyError("snmp.engine_id", "expected 5 to 32 octets in hexadecimal (RFC 3411 section 5)")


def _check_notices(settings: Settings) -> None:
    notices = settings.notices
    users = {user.name for user in settings.snmp.users}
    names: set[str] = set()
    for index, one in enumerate(notices.recipients):
        key = f"notices.recipients[{index}]"
        if not _CLIENT_NAME.fullmatch(one.name) or one.name in names:
            raise BadKeyError(
                f"{key}.name",
                f"expected 1 to 32 of A-Z a-z 0-9 _ - that nobody else has, got {shown(one.name)}",
            )
        names.add(one.name)
        if sum(map(bool, (one.mail, one.webhook, one.snmp))) != 1:
            raise BadKeyError(key, "expected exactly one of mail, webhook and snmp")
        if one.mail and not (notices.mail_host and _MAIL_ADDRESS.fullmatch(notices.mail_sender)):
            raise BadKeyError(f"{key}.mail", "mail needs [notices] mail_host and mail_sender")
        for address in one.mail:
            if not _MAIL_ADDRESS.fullmatch(address):
                raise BadKeyError(
                    f"{key}.mail", f"expected addresses such as noc@example.net, got {shown(address)}"
                )
        if one.digest_s < 0:
            raise BadKeyError(f"{key}.digest_s", f"expected 0 or more, got {one.digest_s}")
        if one.snmp:
            _check_manager(key, one, users)


def _check_credentials(provisioning: ProvisioningSettings) -> None:
    names: set[str] = set()
    for index, one in enumerate(provisioning.credentials):
        key = f"provisioning.credentials[{index}]"
        if not _CLIENT_NAME.fullmatch(one.name) or one.name in names:
            raise BadKeyError(
                f"{key}.name",
                f"expected 1 to 32 of A-Z a-z 0-9 _ - that no other credential has, got {shown(one.name)}",
            )
        names.add(one.name)
        if not one.user:
            raise BadKeyError(f"{key}.user", "expected who we are to the element")
        if sum(map(bool, (one.password_file, one.key_file, one.agent))) != 1:
            raise BadKeyError(key, "expected exactly one of password_file, key_file and agent")
        if one.key_passphrase_file and not one.key_file:
            raise BadKeyError(f"{key}.key_passphrase_file", "there is no key_file that it could open")


def _check_manager(key: str, manager: RecipientSettings, users: set[str]) -> None:
    host, _, port = manager.snmp.rpartition(":")
    try:
        ipaddress.ip_address(host.strip("[]"))
        is_port = 0 < int(port) <= _PORT[1]
    except ValueError:
        is_port = False
    if not is_port:
        raise BadKeyError(
            f"{key}.snmp", f"expected ADDRESS:PORT such as 192.0.2.1:162, got {shown(manager.snmp)}"
        )
    if bool(manager.user) == bool(manager.secret_file):
        raise BadKeyError(key, "a manager needs a user of [[snmp.users]], or its community in secret_file")
    if manager.user and manager.user not in users:
        raise BadKeyError(f"{key}.user", f"there is no such entry of [[snmp.users]]: {shown(manager.user)}")
    if manager.user and not manager.informs:
        raise BadKeyError(
            f"{key}.informs", "of v3 only informs are sent: a trap's clock would be ours to keep"
        )


def _check_store(settings: Settings) -> None:
    store = settings.store
    # A power of two spreads evenly over the nodes of a cluster and can be told from a typing error.
    if store.partitions & (store.partitions - 1):
        raise BadKeyError(
            "store.partitions", f"expected a power of two from 1 to 1024, got {store.partitions}"
        )
    if not store.data_dir:
        raise BadKeyError("store.data_dir", "expected a folder")
    for name, other in (
        ("tls_certificate_file", "tls_key_file"),
        ("tls_key_file", "tls_certificate_file"),
    ):
        if getattr(store, name) and not getattr(store, other):
            raise BadKeyError(f"store.{other}", f"required because store.{name} is set")
    if not store.url:
        for name in ("password_file", "tls_ca_file", "tls_certificate_file", "tls_key_file"):
            if getattr(store, name):
                raise BadKeyError(
                    f"store.{name}", "needs store.url: the embedded store asks for nothing of the kind"
                )
        if store.durability == "replicated":
            raise BadKeyError(
                "store.url", 'required by durability = "replicated": the embedded store has no replicas'
            )
        return
    try:
        url = parse_store_url(store.url)
    except StoreUrlError as error:
        raise BadKeyError("store.url", str(error)) from None
    _check_store_files(settings, url)


def _check_store_files(settings: Settings, url: StoreUrl) -> None:
    """What belongs to one kind of store only would be silently without effect on another."""
    store = settings.store
    for name in ("tls_ca_file", "tls_certificate_file", "tls_key_file"):
        if getattr(store, name) and not url.is_tls:
            raise BadKeyError(f"store.{name}", "TLS needs an address that begins with rediss in store.url")
    if store.sentinel_password_file and url.kind != "sentinel":
        raise BadKeyError(
            "store.sentinel_password_file", "needs redis+sentinel://HOST:PORT,HOST:PORT/NAME in store.url"
        )


def check_secrets(settings: Settings, *, url_is_written: bool, sql_url_is_written: bool) -> None:
    """Secrets come from files of their own or from the environment: a configuration is shown around."""
    store = settings.store
    if url_is_written and store.url and parse_store_url(store.url).password:
        raise BadKeyError(
            "store.url", "holds a password: put it in a file and name that in store.password_file"
        )
    if sql_url_is_written and settings.sql.url and urlsplit(settings.sql.url).password:
        raise BadKeyError("sql.url", "holds a password: put it in a file and name that in sql.password_file")


def _check_element_credentials(settings: Settings) -> None:
    for index, credential in enumerate(settings.provisioning.credentials):
        for name in ("password_file", "key_file", "key_passphrase_file", "enable_file"):
            if file := getattr(credential, name):
                _secret(settings, f"provisioning.credentials[{index}].{name}", file)


def _check_fault_folders(settings: Settings) -> None:
    usual = FaultsSettings()
    for name in ("rules", "topology", "walks"):
        folder = getattr(settings.faults, name)
        if folder == getattr(usual, name) or (name, folder) == ("topology", "inventory"):
            continue
        if not resolve_path(settings, folder).is_dir():
            raise BadKeyError(
                f"faults.{name}", f"expected a folder, and {resolve_path(settings, folder)} is none"
            )


def check_files(settings: Settings) -> None:
    """Check that named files can be read now, not when the first TLS peer knocks."""
    for name in ("tls_certificate_file", "tls_key_file", "tls_client_ca_file", "tls_client_crl_file"):
        _check_readable(settings, f"diameter.{name}", getattr(settings.diameter, name))
    for name in ("tls_ca_file", "tls_certificate_file", "tls_key_file"):
        _check_readable(settings, f"store.{name}", getattr(settings.store, name))
    for name in ("password_file", "sentinel_password_file"):
        if file := getattr(settings.store, name):
            _secret(settings, f"store.{name}", file)
    if settings.sql.password_file:
        _secret(settings, "sql.password_file", settings.sql.password_file)
    for index, client in enumerate(settings.radius.clients):
        key = f"radius.clients[{index}].secret_file"
        if len(_secret(settings, key, client.secret_file)) < _RADIUS_SECRET_OCTETS_MIN:
            raise BadKeyError(key, "this secret has fewer than 16 characters (RFC 2865 section 3)")
    _check_snmp_files(settings)
    _check_fault_folders(settings)
    _check_element_credentials(settings)
    if file := settings.inventory.key_file:
        _secret(settings, "inventory.key_file", file)
    if file := settings.notices.mail_password_file:
        _secret(settings, "notices.mail_password_file", file)
    for index, one in enumerate(settings.notices.recipients):
        if one.secret_file:
            _secret(settings, f"notices.recipients[{index}].secret_file", one.secret_file)


def _check_snmp_files(settings: Settings) -> None:
    if settings.snmp.communities_file:
        _secret(settings, "snmp.communities_file", settings.snmp.communities_file)
    for index, user in enumerate(settings.snmp.users):
        for name in ("authentication_file", "privacy_file"):
            key, file = f"snmp.users[{index}].{name}", getattr(user, name)
            if file and len(_secret(settings, key, file)) < _SNMP_PASSWORD_OCTETS_MIN:
                raise BadKeyError(key, "this password has fewer than 8 characters (RFC 3414 section 11.2)")


def _secret(settings: Settings, key: str, file: str) -> bytes:
    try:
        return read_secret_file(resolve_path(settings, file)).encode()
    except SecretFileError as error:
        raise BadKeyError(key, str(error)) from None


def _check_readable(settings: Settings, key: str, name: str) -> None:
    if not name:
        return
    path = resolve_path(settings, name)
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise BadKeyError(key, f"cannot read {path}: {error.strerror}") from None


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_address(key: str, host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not _IDENTITY.fullmatch(host):
            raise BadKeyError(key, f'expected an IP address or a host name, got "{one_line(host)}"') from None


def _check_identity(key: str, identity: str) -> None:
    if not _IDENTITY.fullmatch(identity):
        raise BadKeyError(
            key, f'expected a DiameterIdentity such as "ocs.example.net", got {shown(identity)}'
        )
