"""Where the store is and how it knows us: the ``[store]`` section with its secrets read and its paths resolved."""

import ssl
from pathlib import Path

import msgspec

from ocs.secret_file import SecretFileError, read_secret_file
from ocs.settings import Settings, resolve_path
from ocs.store_url import Endpoint, StoreKind, StoreUrl, StoreUrlError, parse_store_url


class StoreAddressError(ValueError):
    """The store cannot be addressed as configured; ``str()`` is one line with the remedy."""


class StoreAddress(msgspec.Struct, frozen=True):
    """All that is needed to reach a store; neither ``str()`` nor ``repr()`` shows a secret.

    Attributes:
        url: what ``[store] url`` says, with the password that is used.
        sentinel_password: the Sentinels' own; empty when they ask for none.
        tls_ca_file: whom we believe that it is the store; None is what the system believes.
        tls_certificate_file, tls_key_file: who we are; None when the store does not ask.
    """

    url: StoreUrl
    sentinel_password: str = ""
    tls_ca_file: Path | None = None
    tls_certificate_file: Path | None = None
    tls_key_file: Path | None = None

    def __repr__(self) -> str:
        return f"StoreAddress({str(self)!r})"

    def __str__(self) -> str:
        return str(self.url)

    @property
    def kind(self) -> StoreKind:
        """One server, a Sentinel group, or a cluster."""
        return self.url.kind

    @property
    def nodes(self) -> tuple[Endpoint, ...]:
        """The server; the Sentinels; or some of the cluster's nodes."""
        return self.url.nodes

    @property
    def name(self) -> str:
        """What the Sentinels call the primary."""
        return self.url.name

    @property
    def is_tls(self) -> bool:
        """Whether servers (and Sentinels) are spoken to in TLS."""
        return self.url.is_tls

    @property
    def username(self) -> str:
        """The ACL user; empty is ``default``."""
        return self.url.username

    @property
    def password(self) -> str:
        """The user's password; empty when the store asks for none."""
        return self.url.password

    @property
    def database(self) -> int:
        """The database's number; 0 on a cluster."""
        return self.url.database


def read_store_address(settings: Settings, url: str = "") -> StoreAddress:
    """Read the address that the settings mean.

    Args:
        settings: its ``[store]`` names the files of the secrets and of TLS.
        url: in the place of ``[store] url``: the embedded store's, which no configuration knows.

    Raises:
        StoreAddressError: not an address, or a secret's file that cannot be used.
    """
    store = settings.store
    try:
        parsed = parse_store_url(url or store.url)
        if store.password_file:
            secret = read_secret_file(resolve_path(settings, store.password_file))
            parsed = msgspec.structs.replace(parsed, password=secret)
        sentinel_password = (
            read_secret_file(resolve_path(settings, store.sentinel_password_file))
            if store.sentinel_password_file
            else ""
        )
    except StoreUrlError as error:
        raise StoreAddressError(f"[store] url: {error}") from None
    except SecretFileError as error:
        raise StoreAddressError(str(error)) from None
    return StoreAddress(
        parsed,
        sentinel_password,
        _path_of(settings, store.tls_ca_file),
        _path_of(settings, store.tls_certificate_file),
        _path_of(settings, store.tls_key_file),
    )


def plain_address(url: str) -> StoreAddress:
    """An address that needs no settings: the embedded store's, or a test's.

    Raises:
        StoreAddressError: not an address.
    """
    try:
        return StoreAddress(parse_store_url(url))
    except StoreUrlError as error:
        raise StoreAddressError(str(error)) from None


def make_tls_context(address: StoreAddress) -> ssl.SSLContext | None:
    """What a client needs for TLS to this store: TLS 1.2 or later, its name checked; None when it is plain.

    Raises:
        StoreAddressError: a file of ``[store] tls_...`` cannot be used.
    """
    if not address.is_tls:
        return None
    try:
        context = ssl.create_default_context(
            cafile=None if address.tls_ca_file is None else str(address.tls_ca_file)
        )
    except ssl.SSLError:
        raise StoreAddressError(
            f"{address.tls_ca_file}: holds no certificate in PEM form, as [store] tls_ca_file must"
        ) from None
    except OSError as error:
        raise StoreAddressError(
            f"{address.tls_ca_file}: cannot be used as [store] tls_ca_file ({error})"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if address.tls_certificate_file is not None:
        try:
            context.load_cert_chain(address.tls_certificate_file, address.tls_key_file)
        except OSError as error:
            raise StoreAddressError(
                f"{address.tls_certificate_file}: cannot be used as [store] tls_certificate_file with"
                f" {address.tls_key_file or 'the key in it'} ({error})"
            ) from None
    return context


def _path_of(settings: Settings, name: str) -> Path | None:
    return resolve_path(settings, name) if name else None
