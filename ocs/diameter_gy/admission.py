"""Whom we let in: the decision on a CER (RFC 6733 section 5.3). Pure."""

from dataclasses import dataclass
from typing import Self

from ocs.diameter_gy.base_commands import (
    CREDIT_CONTROL_APPLICATION,
    INBAND_TLS,
    NO_INBAND_SECURITY,
    RELAY_APPLICATION,
    CapabilitiesExchangeRequest,
)
from ocs.diameter_gy.errors import NoCommonApplication, NoCommonSecurity, ResourcesExceeded, UnknownPeer
from ocs.settings import PeerSettings

ANY_PEER = "*"


def is_same_identity(first: str, second: str) -> bool:
    """Compare DiameterIdentities: DNS names, so without case (RFC 6733 section 4.3.1)."""
    return first.lower() == second.lower()


@dataclass(frozen=True)
class AdmissionPolicy:
    """The allow-list.

    Attributes:
        realms: Origin-Host in lower case -> Origin-Realm in lower case, empty for any realm.
        any_realms: realms that may bring any Origin-Host; None when ``*`` is not listed.
        tls_hosts: Origin-Hosts in lower case, or ``*``, that are let in over TLS only.
    """

    realms: dict[str, str]
    any_realms: frozenset[str] | None = None
    tls_hosts: frozenset[str] = frozenset()

    @classmethod
    def from_settings(cls, peers: tuple[PeerSettings, ...], *, shows_certificates: bool = False) -> Self:
        """Read ``[[diameter.peers]]``.

        Args:
            peers: the entries.
            shows_certificates: whether peers must show certificates on the TLS port. Then a name is worth nothing
                without: peers come over TLS only, but for those of which the operator says otherwise.
        """
        named = {p.origin_host.lower(): p.origin_realm.lower() for p in peers if p.origin_host != ANY_PEER}
        anyone = frozenset(p.origin_realm.lower() for p in peers if p.origin_host == ANY_PEER)
        tls = (p.origin_host.lower() for p in peers if (shows_certificates if p.tls is None else p.tls))
        return cls(named, anyone or None, frozenset(tls))

    def check(
        self,
        request: CapabilitiesExchangeRequest,
        certificate_names: tuple[str, ...] | None = None,
        *,
        is_tls: bool = False,
    ) -> None:
        """Decide on a CER: who it is first, then what it offers.

        Args:
            request: the CER.
            certificate_names: host names of the certificate that the peer had to show; None when it had not.
            is_tls: whether the connection is secured.

        Raises:
            UnknownPeer: not in the list, in another realm than listed, or with another node's certificate.
            NoCommonApplication: neither application 4 nor relay (section 5.3).
            NoCommonSecurity: the peer is let in over TLS only, or insists on TLS inside the connection; ours is on its
                own port.
        """
        self._check_identity(request)
        host = request.origin.host
        if not is_tls and (host.lower() if host.lower() in self.realms else ANY_PEER) in self.tls_hosts:
            raise NoCommonSecurity(f"{host} is let in over TLS only")
        # A wildcard fits no node: whoever holds such a certificate could take the name of any other.
        if certificate_names is not None and not any(
            is_same_identity(name, host) for name in certificate_names
        ):
            shown = ", ".join(certificate_names) or "no host name"
            raise UnknownPeer(f"the certificate is for {shown}, not for Origin-Host {host}")
        if not request.application_ids & {CREDIT_CONTROL_APPLICATION, RELAY_APPLICATION}:
            offered = ", ".join(map(str, sorted(request.application_ids))) or "none"
            raise NoCommonApplication(f"the peer offers applications {offered}; we serve 4")
        if (
            INBAND_TLS in request.inband_security_ids
            and NO_INBAND_SECURITY not in request.inband_security_ids
        ):
            raise NoCommonSecurity("the peer insists on TLS by Inband-Security-Id; use the TLS port instead")

    def _check_identity(self, request: CapabilitiesExchangeRequest) -> None:
        host, realm = request.origin.host.lower(), request.origin.realm.lower()
        required = self.realms.get(host)
        if required is not None:
            if required and required != realm:
                raise UnknownPeer(
                    f"Origin-Realm {request.origin.realm} is not the one configured, {required}"
                )
        elif self.any_realms is None:
            raise UnknownPeer(f"unknown peer {request.origin.host}")
        elif "" not in self.any_realms and realm not in self.any_realms:
            raise UnknownPeer(f"unknown peer {request.origin.host} in realm {request.origin.realm}")


def remedy_for(error_code: int, origin_host: str) -> str:
    """Tell the operator what would let the peer in."""
    match error_code:
        case UnknownPeer.result_code:
            return (
                f'add [[diameter.peers]] origin_host = "{origin_host}" (and its origin_realm) to the configuration, '
                "or correct the peer's name, realm or certificate"
            )
        case ResourcesExceeded.result_code:
            return "let the peer close connections that it no longer uses: ocs peers"
        case NoCommonApplication.result_code:
            return (
                "let the peer offer Auth-Application-Id 4 (Diameter credit control) or the relay application"
            )
        case NoCommonSecurity.result_code:
            return (
                "connect the peer to [diameter] tls_port, and let it offer Inband-Security-Id 0; a peer that cannot"
                " needs an entry of its own in [[diameter.peers]] with tls = false"
            )
        case _:
            return "correct the peer's Capabilities-Exchange-Request as the reason says"
