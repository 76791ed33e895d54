"""TLS on its own port (RFC 6733 section 13.1): contexts from settings, names from certificates."""

import ssl
from pathlib import Path
from typing import Any, cast

import trio

from ocs.settings import DiameterSettings


class TlsSettingsError(ValueError):
    """Certificate, key or authority cannot be used; the message names the file and what to do."""


def server_context(settings: DiameterSettings, directory: Path) -> ssl.SSLContext | None:
    """Load our certificate, and the authority of our peers when they must show certificates (mutual TLS).

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
    try:
        key = directory / settings.tls_key_file if settings.tls_key_file else None
        context.load_cert_chain(directory / settings.tls_certificate_file, key)
    except (OSError, ssl.SSLError) as error:
        raise TlsSettingsError(
            f"diameter.tls_certificate_file {settings.tls_certificate_file} with diameter.tls_key_file "
            f"{settings.tls_key_file or '(the same file)'}: expected a PEM certificate chain and its key: {error}"
        ) from None
    if settings.tls_client_ca_file:
        try:
            context.load_verify_locations(directory / settings.tls_client_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise TlsSettingsError(
                f"diameter.tls_client_ca_file {settings.tls_client_ca_file}: expected PEM certificates: {error}"
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def certificate_names(stream: trio.SSLStream[trio.SocketStream]) -> tuple[str, ...] | None:
    """Read the DNS names of the certificate that the peer showed; to be called after the handshake.

    Returns:
        None when we asked for no certificate.
    """
    certificate = cast("dict[str, Any] | None", stream.getpeercert())
    if not certificate:
        return None
    return tuple(value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")
