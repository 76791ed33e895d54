"""TLS on its own port (RFC 6733 section 13.1): contexts from settings, names from certificates."""

import ssl
import stat
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import trio

from ocs.log import get_logger
from ocs.settings import DiameterSettings

log = get_logger("ocs.diameter_gy.tls")

# Departure from RFC 6733 section 13.1, which names RC4 and 3DES: RFC 7465 forbids the one, RFC 9325 the other. What
# RFC 9325 section 4.2 recommends for TLS 1.2: forward secrecy and authenticated encryption. TLS 1.3 knows no others.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
# DiameterURI of RFC 6733 section 4.3.1.
_URI_SCHEMES: Final = frozenset({"aaa", "aaas"})


class TlsSettingsError(ValueError):
    """Certificate, key or authority cannot be used; the message names the file and what to do."""


def server_context(settings: DiameterSettings, directory: Path) -> ssl.SSLContext | None:
    """Load our certificate, and the authority of our peers when they must show certificates (mutual TLS).

    A key that everybody on the machine can read is used, and warned of in the log.

    Args:
        settings: with the names of the files.
        directory: where relative names start.

    Returns:
        None when no certificate is configured: then there is no TLS port.

    Raises:
        TlsSettingsError: a file is missing or is not what its key says.
    """
    if not settings.tls_certificate_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    # A peer that renegotiates makes us work for nothing; TLS 1.3 cannot. Connections last for days: no need of tickets.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    try:
        key = directory / settings.tls_key_file if settings.tls_key_file else None
        context.load_cert_chain(directory / settings.tls_certificate_file, key)
    except (OSError, ssl.SSLError) as error:
        raise TlsSettingsError(
            f"diameter.tls_certificate_file {settings.tls_certificate_file} with diameter.tls_key_file "
            f"{settings.tls_key_file or '(the same file)'}: expected a PEM certificate chain and its key: {error}"
        ) from None
    _warn_of_open_key(key or directory / settings.tls_certificate_file)
    if settings.tls_client_ca_file:
        _load(context, "tls_client_ca_file", directory, settings.tls_client_ca_file, "PEM certificates")
        context.verify_mode = ssl.CERT_REQUIRED
    if settings.tls_client_crl_file:
        if not settings.tls_client_ca_file:
            raise TlsSettingsError(
                "diameter.tls_client_crl_file: expected diameter.tls_client_ca_file beside it"
            )
        before = context.cert_store_stats()["crl"]
        _load(
            context, "tls_client_crl_file", directory, settings.tls_client_crl_file, "a PEM revocation list"
        )
        if context.cert_store_stats()["crl"] == before:
            raise TlsSettingsError(
                f"diameter.tls_client_crl_file {settings.tls_client_crl_file}: expected a PEM revocation list"
            )
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return context


def certificate_names(stream: trio.SSLStream[trio.SocketStream]) -> tuple[str, ...] | None:
    """Read the host names of the certificate that the peer showed; to be called after the handshake.

    Returns:
        Names in subjectAltName: dNSName, and the host of a uniformResourceIdentifier that is a DiameterURI. None when
        we asked for no certificate. The common name counts for nothing (RFC 9525 section 2).
    """
    certificate = cast("dict[str, Any] | None", stream.getpeercert())
    if not certificate:
        return None
    names = [_host_name(kind, value) for kind, value in certificate.get("subjectAltName", ())]
    return tuple(name for name in names if name)


def _host_name(kind: str, value: str) -> str:
    if kind == "DNS":
        return value
    if kind != "URI":
        return ""
    try:
        uri = urlsplit(value.partition(";")[0])
        return uri.hostname or "" if uri.scheme in _URI_SCHEMES else ""
    except ValueError:
        return ""


def _load(context: ssl.SSLContext, key: str, directory: Path, name: str, expected: str) -> None:
    try:
        context.load_verify_locations(directory / name)
    except (OSError, ssl.SSLError) as error:
        raise TlsSettingsError(f"diameter.{key} {name}: expected {expected}: {error}") from None


def _warn_of_open_key(path: Path) -> None:
    if path.stat().st_mode & stat.S_IROTH:
        log.warning(
            "key_is_readable_by_everybody",
            file=str(path),
            reason="whoever reads this key can take our name",
            remedy="take the right to read it from others: chmod o-r",
        )
