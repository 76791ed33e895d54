"""Reads ``ocs.toml`` and the environment into :class:`~ocs.settings.Settings`, or says in one line what is wrong.

A key of the file is overridden by the variable ``OCS_SECTION__KEY`` (``OCS_DIAMETER__PORT=0``); lists and tables are
written there as TOML or JSON: ``OCS_DIAMETER__HOSTS='["::1"]'``, ``OCS_DIAMETER__PEERS='[{origin_host = "*"}]'``.
"""

import difflib
import ipaddress
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, cast
from urllib.parse import urlsplit

import msgspec

from ocs.settings import AccountsSettings, DiameterSettings, RadiusSettings, Settings
from ocs.store_url import StoreUrl, StoreUrlError, parse_store_url
from ocs.units import AmountError, parse_micro

PREFIX: Final = "OCS_"
SQL_SCHEMES: Final = ("sqlite", "postgresql")

_PORT: Final = (0, 65_535)
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "diameter.port": _PORT,
    "diameter.tls_port": _PORT,
    "http.port": _PORT,
    "snmp.port": _PORT,
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
_CLIENT_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
# RFC 2865 section 3: at least 16 octets.
_RADIUS_SECRET_OCTETS_MIN: Final = 16
_JSON_TYPES: Final = {
    "int": "an integer", "float": "a number", "str": "a text", "bool": "true or false", "array": "a list",
    "object": "a table",
}  # fmt: skip


class SettingsError(ValueError):
    """A configuration cannot be used; ``str()`` is one line: file or variable, key, what was expected."""


class SecretFileError(ValueError):
    """A file with a secret is missing, empty, or open to everybody; ``str()`` is one line with the remedy."""


class _KeyError(Exception):
    """One key is wrong; the loader adds where it was written."""

    def __init__(self, key: str, expectation: str) -> None:
        super().__init__(f"{key}: {expectation}")
        self.key = key
        self.expectation = expectation


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the configuration.

    Args:
        path: the file; None uses the defaults alone, relative to the current folder.
        environ: the environment; its ``OCS_SECTION__KEY`` variables come before the file.

    Raises:
        SettingsError: with one clear line.
    """
    directory = Path.cwd() if path is None else path.resolve().parent
    return _settle(_read_document(path), environ, directory, str(path or "defaults"))


def snapshot_settings(settings: Settings) -> bytes:
    """Put settings that were loaded into octets for a child that is to run with them, whatever the file says by then.

    Addresses with passwords are left out: they come from the environment, and the child has it too.
    """
    store, sql = settings.store, settings.sql
    if store.url and parse_store_url(store.url).password:
        store = msgspec.structs.replace(store, url="")
    if urlsplit(sql.url).password:
        sql = msgspec.structs.replace(sql, url="")
    return msgspec.json.encode(msgspec.structs.replace(settings, store=store, sql=sql), enc_hook=str)


def restore_settings(snapshot: bytes, environ: Mapping[str, str]) -> Settings:
    """Read what :func:`snapshot_settings` made; the environment's variables come before it.

    Raises:
        SettingsError: with one clear line; also when it was made by another release.
    """
    where = "the settings of the process that started this one"
    try:
        document = msgspec.json.decode(snapshot, type=dict[str, Any])
        directory = Path(document.pop("directory"))
    except (msgspec.DecodeError, KeyError, TypeError):
        raise SettingsError(f"{where}: they are not readable") from None
    return _settle(document, environ, directory, where)


def _settle(document: dict[str, Any], environ: Mapping[str, str], directory: Path, where: str) -> Settings:
    """Settings of a document with the environment's overrides, checked."""
    origins = _apply_environment(document, environ)
    try:
        settings = _convert(document)
        _check(settings)
        _check_secrets(settings, url_is_written="store.url" not in origins)
        settings = msgspec.structs.replace(settings, directory=directory)
        _check_files(settings)
    except _KeyError as error:
        variable = _origin_of(error.key, origins)
        place = variable if variable is not None else f"{where}: {error.key}"
        raise SettingsError(f"{place}: {error.expectation}") from None
    return settings


def resolve_path(settings: Settings, path: str) -> Path:
    """Where a path of the configuration leads: relative ones start at the configuration file's folder."""
    return settings.directory / Path(path).expanduser()


def read_secret_file(path: Path) -> str:
    """Read a secret from its own file, without the newline that editors add.

    Raises:
        SecretFileError: missing, empty, or readable by everybody.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            content = file.read(65_537)
    except OSError as error:
        raise SecretFileError(f"{path}: cannot read this secret: {error.strerror}") from None
    if mode & stat.S_IROTH:
        raise SecretFileError(f"{path}: everybody can read this secret: run `chmod o-r {path}`")
    secret = content.decode("utf-8", "replace").rstrip("\r\n")
    if not secret or len(content) > 65_536:
        raise SecretFileError(
            f"{path}: expected one line with the secret, and this file is empty or far too long"
        )
    return secret


# --- File and environment ----------------------------------------------------------------------------------------


def _read_document(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the configuration: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: expected UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {_one_line(str(error))}") from None
    if "directory" in document:  # a field of Settings, but no key of the file
        raise SettingsError(f"{path}: directory: unknown key")
    return document


def _apply_environment(document: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Put overrides into the document; returns which variable set which key."""
    origins: dict[str, str] = {}
    for variable, text in environ.items():
        section, separator, key = variable.removeprefix(PREFIX).lower().partition("__")
        if not variable.startswith(PREFIX) or not separator:
            continue  # names without "__" are not ours: OCS_HOME, OCS_VERSION
        fields = _fields_of(section)
        if fields is None:
            raise SettingsError(f"{variable}: unknown section {section!r}{_hint(section, _section_names())}")
        if key not in fields:
            raise SettingsError(f"{variable}: unknown key {section}.{key}{_hint(key, fields)}")
        table = document.setdefault(section, {})
        if not isinstance(table, dict):
            continue  # the file's own mistake; the conversion names it
        cast("dict[str, Any]", table)[key] = _parse_variable(variable, text, fields[key])
        origins[f"{section}.{key}"] = variable
    return origins


def _parse_variable(variable: str, text: str, wanted: Any) -> Any:
    """Read a variable's text: a text key takes it as it is, every other kind is a TOML or JSON value."""
    if wanted is str or isinstance(msgspec.inspect.type_info(wanted), msgspec.inspect.LiteralType):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        pass
    info = msgspec.inspect.type_info(wanted)
    if isinstance(info, msgspec.inspect.VarTupleType):
        raise SettingsError(f'{variable}: expected a list such as ["a", "b"], got {_shown(text)}')
    return text  # the conversion says what was expected


def _section_names() -> list[str]:
    return [field.name for field in msgspec.structs.fields(Settings) if field.name != "directory"]


def _fields_of(section: str) -> dict[str, Any] | None:
    for field in msgspec.structs.fields(Settings):
        if field.name == section and section != "directory":
            return {inner.name: inner.type for inner in msgspec.structs.fields(field.type)}
    return None


def _origin_of(key: str, origins: Mapping[str, str]) -> str | None:
    """The variable that set a key, also when the fault lies inside its value (``diameter.peers[0].origin_host``)."""
    return next((origins[name] for name in origins if re.match(re.escape(name) + r"(\W|\Z)", key)), None)


# --- Types -------------------------------------------------------------------------------------------------------


def _convert(document: dict[str, Any]) -> Settings:
    try:
        return msgspec.convert(document, Settings, strict=True)
    except msgspec.ValidationError as error:
        _explain(document, str(error))


def _explain(document: dict[str, Any], message: str) -> NoReturn:
    """Turn msgspec's words into ours: ``Expected `int`, got `str` - at `$.diameter.port```."""
    problem, _, location = message.partition(" - at ")
    path = location.strip("`").removeprefix("$").removeprefix(".")
    if unknown := re.search(r"unknown field `(.*)`", problem):
        key = f"{path}.{unknown[1]}".removeprefix(".")
        raise _KeyError(key, "unknown key" + _hint(unknown[1], _names_at(path)))
    if missing := re.search(r"missing required field `(.*)`", problem):
        raise _KeyError(f"{path}.{missing[1]}".removeprefix("."), "this key is required here")
    expected = re.search(r"Expected `([^`]*)`", problem)
    wanted = (
        " or ".join(_JSON_TYPES.get(part, part) for part in expected[1].split(" | ")) if expected else problem
    )
    if "enum value" in problem:
        wanted = f"one of {', '.join(_choices_at(path))}"
    elif path in _RANGES:
        wanted += " from {:g} to {:g}".format(*_RANGES[path])
    raise _KeyError(path, f"expected {wanted}, got {_shown(_value_at(document, path))}")


def _names_at(path: str) -> list[str]:
    """Which keys exist in the table at this place."""
    if not path:
        return _section_names()
    section, _, inner = path.partition(".")
    fields = _fields_of(section) or {}
    if not inner:
        return list(fields)
    info = msgspec.inspect.type_info(fields.get(inner.partition("[")[0], str))
    if isinstance(info, msgspec.inspect.VarTupleType) and isinstance(
        info.item_type, msgspec.inspect.StructType
    ):
        return [field.name for field in info.item_type.fields]
    return []


def _choices_at(path: str) -> list[str]:
    section, _, key = path.partition(".")
    info = msgspec.inspect.type_info((_fields_of(section) or {})[key])
    return [str(value) for value in info.values] if isinstance(info, msgspec.inspect.LiteralType) else []


def _value_at(document: Any, path: str) -> Any:
    value: Any = document
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(step) if step.isdigit() else step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value


def _hint(name: str, known: Mapping[str, Any] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.55)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}" if known else ""


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return _one_line(text if len(text) <= 80 else text[:77] + "...")


def _one_line(text: str) -> str:
    return " ".join(text.split())


# --- Meaning -----------------------------------------------------------------------------------------------------


def _check(settings: Settings) -> None:
    """Check what the types cannot say."""
    for key, (lowest, highest) in _RANGES.items():
        section, _, name = key.partition(".")
        value = getattr(getattr(settings, section), name)
        if not lowest <= value <= highest:
            kind = "a number" if isinstance(value, float) else "an integer"
            raise _KeyError(key, f"expected {kind} from {lowest:g} to {highest:g}, got {value}")
    _check_diameter(settings)
    _check_store(settings)
    _check_radius(settings.radius)
    for section in ("http", "snmp", "radius"):
        _check_address(f"{section}.host", getattr(settings, section).host)
    for index, origin in enumerate(settings.http.hub_callbacks):
        match = _ORIGIN.fullmatch(origin)
        if match is None or int(match[1] or 0) > _PORT[1]:
            raise _KeyError(
                f"http.hub_callbacks[{index}]",
                f"expected an origin such as http://127.0.0.1:9000, got {origin!r}",
            )
    scheme = urlsplit(settings.sql.url).scheme.partition("+")[0]
    if settings.sql.url and scheme not in SQL_SCHEMES:
        raise _KeyError(
            "sql.url", f"expected an address that begins with {' or '.join(SQL_SCHEMES)}, got {scheme!r}"
        )
    if not settings.catalogue.path:
        raise _KeyError("catalogue.path", "expected the folder with the offers")
    _check_accounts(settings.accounts)
    _check_amount("charging.refund_max", settings.charging.refund_max)


def _check_accounts(accounts: AccountsSettings) -> None:
    for name in ("bundle_notice_percents", "limit_notice_percents"):
        percents: tuple[int, ...] = getattr(accounts, name)
        if list(percents) != sorted(set(percents)) or not all(1 <= percent <= 100 for percent in percents):
            raise _KeyError(
                f"accounts.{name}", "expected percentages from 1 to 100, each greater than the one before"
            )
    _check_amount("accounts.low_balance", accounts.low_balance)


def _check_amount(key: str, written: str) -> None:
    try:
        micro = parse_micro(written)
    except AmountError as error:
        raise _KeyError(key, str(error)) from None
    if micro < 0:
        raise _KeyError(key, 'expected an amount such as "2.00", or "0"')


def _check_diameter(settings: Settings) -> None:
    diameter = settings.diameter
    for name in ("origin_host", "origin_realm"):
        _check_identity(f"diameter.{name}", getattr(diameter, name))
    if not diameter.product_name:
        raise _KeyError("diameter.product_name", "expected a text that is not empty (RFC 6733 section 5.3.7)")
    _check_address("diameter.host", diameter.host)
    for index, host in enumerate(diameter.hosts):
        _check_address(f"diameter.hosts[{index}]", host)
    if not diameter.peers:
        raise _KeyError("diameter.peers", "expected at least one peer, or nobody can connect")
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
            raise _KeyError(
                f"diameter.peers[{index}].origin_host",
                f'"*" lets every peer in, which is allowed on loopback only, and {open_host} is listened on:'
                " name each peer",
            )
    _check_diameter_tls(diameter)


def _check_diameter_tls(diameter: DiameterSettings) -> None:
    """Refuse what would be silently without effect, or let nobody in."""
    for index, peer in enumerate(diameter.peers):
        if peer.tls and not diameter.tls_certificate_file:
            raise _KeyError(
                f"diameter.peers[{index}].tls",
                "without diameter.tls_certificate_file there is no TLS port, and this peer could never connect",
            )
    if bool(diameter.tls_certificate_file) != bool(diameter.tls_key_file):
        missing = "tls_key_file" if diameter.tls_certificate_file else "tls_certificate_file"
        raise _KeyError(
            f"diameter.{missing}", "TLS needs the certificate and its key, and only the other is set"
        )
    for name, needed in (
        ("tls_client_crl_file", "tls_client_ca_file"),
        ("tls_client_ca_file", "tls_certificate_file"),
    ):
        if getattr(diameter, name) and not getattr(diameter, needed):
            raise _KeyError(f"diameter.{needed}", f"required because diameter.{name} is set")
    if diameter.tls_certificate_file and diameter.port == diameter.tls_port != 0:
        raise _KeyError("diameter.tls_port", "expected another port than diameter.port")


def _check_radius(radius: RadiusSettings) -> None:
    if (radius.auth_port < 0) != (radius.acct_port < 0):
        off = "auth_port" if radius.auth_port < 0 else "acct_port"
        raise _KeyError(
            f"radius.{off}", "authorisation and accounting are served together: set both ports, or neither"
        )
    if radius.auth_port >= 0 and not radius.clients:
        raise _KeyError("radius.clients", "expected at least one client, or nobody is served")
    if radius.auth_port == radius.acct_port > 0:
        raise _KeyError("radius.acct_port", "expected another port than radius.auth_port")
    names: set[str] = set()
    for index, client in enumerate(radius.clients):
        key = f"radius.clients[{index}]"
        if not _CLIENT_NAME.fullmatch(client.name) or client.name in names:
            raise _KeyError(
                f"{key}.name",
                f"expected letters, digits, - and _ (32 at most) that no other client has, got {_shown(client.name)}",
            )
        names.add(client.name)
        try:
            ipaddress.ip_network(client.address)
        except ValueError:
            raise _KeyError(
                f"{key}.address",
                f"expected an IP address or a network such as 10.1.0.0/16, got {_shown(client.address)}",
            ) from None
        if not 0 <= client.coa_port <= _PORT[1]:
            raise _KeyError(f"{key}.coa_port", f"expected an integer from 0 to 65535, got {client.coa_port}")


def _check_store(settings: Settings) -> None:
    store = settings.store
    # A power of two spreads evenly over the nodes of a cluster and can be told from a typing error.
    if store.partitions & (store.partitions - 1):
        raise _KeyError("store.partitions", f"expected a power of two from 1 to 1024, got {store.partitions}")
    if not store.data_dir:
        raise _KeyError("store.data_dir", "expected a folder")
    for name, other in (
        ("tls_certificate_file", "tls_key_file"),
        ("tls_key_file", "tls_certificate_file"),
    ):
        if getattr(store, name) and not getattr(store, other):
            raise _KeyError(f"store.{other}", f"required because store.{name} is set")
    if not store.url:
        for name in ("password_file", "tls_ca_file", "tls_certificate_file", "tls_key_file"):
            if getattr(store, name):
                raise _KeyError(
                    f"store.{name}", "needs store.url: the embedded store asks for nothing of the kind"
                )
        if store.durability == "replicated":
            raise _KeyError(
                "store.url", 'required by durability = "replicated": the embedded store has no replicas'
            )
        return
    try:
        url = parse_store_url(store.url)
    except StoreUrlError as error:
        raise _KeyError("store.url", str(error)) from None
    _check_store_files(settings, url)


def _check_store_files(settings: Settings, url: StoreUrl) -> None:
    """What belongs to one kind of store only would be silently without effect on another."""
    store = settings.store
    for name in ("tls_ca_file", "tls_certificate_file", "tls_key_file"):
        if getattr(store, name) and not url.is_tls:
            raise _KeyError(f"store.{name}", "TLS needs an address that begins with rediss in store.url")
    if store.sentinel_password_file and url.kind != "sentinel":
        raise _KeyError(
            "store.sentinel_password_file", "needs redis+sentinel://HOST:PORT,HOST:PORT/NAME in store.url"
        )


def _check_secrets(settings: Settings, *, url_is_written: bool) -> None:
    """Secrets come from files of their own or from the environment: a configuration is shown around."""
    store = settings.store
    if url_is_written and store.url and parse_store_url(store.url).password:
        raise _KeyError(
            "store.url", "holds a password: put it in a file and name that in store.password_file"
        )


def _check_files(settings: Settings) -> None:
    """Check that named files can be read now, not when the first TLS peer knocks."""
    for name in ("tls_certificate_file", "tls_key_file", "tls_client_ca_file", "tls_client_crl_file"):
        _check_readable(settings, f"diameter.{name}", getattr(settings.diameter, name))
    for name in ("tls_ca_file", "tls_certificate_file", "tls_key_file"):
        _check_readable(settings, f"store.{name}", getattr(settings.store, name))
    for name in ("password_file", "sentinel_password_file"):
        if file := getattr(settings.store, name):
            try:
                read_secret_file(resolve_path(settings, file))
            except SecretFileError as error:
                raise _KeyError(f"store.{name}", str(error)) from None
    for index, client in enumerate(settings.radius.clients):
        key = f"radius.clients[{index}].secret_file"
        try:
            secret = read_secret_file(resolve_path(settings, client.secret_file))
        except SecretFileError as error:
            raise _KeyError(key, str(error)) from None
        if len(secret.encode()) < _RADIUS_SECRET_OCTETS_MIN:
            raise _KeyError(key, "this secret has fewer than 16 characters (RFC 2865 section 3)")


def _check_readable(settings: Settings, key: str, name: str) -> None:
    if not name:
        return
    path = resolve_path(settings, name)
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise _KeyError(key, f"cannot read {path}: {error.strerror}") from None


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
            raise _KeyError(key, f'expected an IP address or a host name, got "{_one_line(host)}"') from None


def _check_identity(key: str, identity: str) -> None:
    if not _IDENTITY.fullmatch(identity):
        raise _KeyError(key, f'expected a DiameterIdentity such as "ocs.example.net", got {_shown(identity)}')
