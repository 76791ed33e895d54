import datetime as dt
import ssl
import warnings
from typing import Any

import pytest
import structlog
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from ocs.diameter_gy.tls import TlsSettingsError, server_context
from ocs.settings import DiameterSettings, PeerSettings


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path):
    """Our certificate and key, and the authority of our peers, as the settings name them."""
    authority.issue_cert("ocs.lab.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "ocs.pem")
    (tmp_path / "ocs.pem").chmod(0o600)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return {"tls_certificate_file": str(tmp_path / "ocs.pem")}


@pytest.fixture
def mutual(files, tmp_path):
    return files | {"tls_client_ca_file": str(tmp_path / "ca.pem")}


def client_context(authority, *names):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if names:
        authority.issue_cert(*names).configure_cert(context)
    return context


async def connect(lab, listener, context):
    host, port, *_ = listener.socket.getsockname()
    return lab.gateway(
        trio.SSLStream(await trio.open_tcp_stream(host, port), context, server_hostname="ocs.lab.example")
    )


async def offered_result(gateway):
    """Result-Code of the CEA, None when there is none."""
    try:
        _, result, _ = await gateway.answer_to(gateway.cer())
    except (trio.BrokenResourceError, EOFError):
        return None
    return result


def issue_with_uri(authority, uri):
    """A certificate that names its node by a DiameterURI only."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    moment = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - dt.timedelta(hours=1))
        .not_valid_after(moment + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
    )
    certificate = builder.sign(signing_key(authority), hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return trustme.LeafCert(private, certificate.public_bytes(Encoding.PEM), [])


def revocation_list(authority, *revoked):
    moment = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject)
        .last_update(moment - dt.timedelta(hours=1))
        .next_update(moment + dt.timedelta(hours=1))
    )
    for leaf in revoked:
        number = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(moment).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(signing_key(authority), hashes.SHA256()).public_bytes(Encoding.PEM)


def signing_key(authority) -> Any:
    return load_pem_private_key(authority.private_key_pem.bytes(), None)


async def test_gateway_is_served_over_tls_and_plain_tcp_at_once(lab, authority, files):
    async with lab.serving(**files) as (server, (plain, tls)):
        assert (plain.is_tls, tls.is_tls) == (False, True)
        secure = await (await connect(lab, tls, client_context(authority))).opens()
        clear = await (await lab.connect(plain)).opens()
        for gateway in (secure, clear):
            _, result, _ = await gateway.answer_to(gateway.ccr())
            assert result == 2001
        assert [peer.tls for peer in server.peers()] == [True, False]


async def test_without_certificate_there_is_no_tls_port(lab):
    async with lab.serving() as (_, listeners):
        assert [listener.is_tls for listener in listeners] == [False]


async def test_peer_with_its_own_certificate_is_let_in(lab, authority, mutual):
    async with lab.serving(**mutual) as (_, (_, tls)):
        gateway = await connect(lab, tls, client_context(authority, "pgw.example"))
        _, result, _ = await gateway.answer_to(gateway.cer())
        assert result == 2001


async def test_peer_with_another_node_s_certificate_is_refused_and_told_so(lab, authority, mutual):
    with structlog.testing.capture_logs() as lines:
        async with lab.serving(**mutual) as (_, (_, tls)):
            gateway = await connect(lab, tls, client_context(authority, "other.example"))
            _, result, _ = await gateway.answer_to(gateway.cer())
            assert result == 3010
            await gateway.sees_the_end()
    (line,) = [line for line in lines if line["event"] == "peer_refused"]
    assert "certificate is for other.example" in line["reason"]


async def test_peer_without_certificate_is_refused_with_one_line(lab, authority, mutual):
    with structlog.testing.capture_logs() as lines:
        async with lab.serving(**mutual) as (_, (_, tls)):
            gateway = await connect(lab, tls, client_context(authority))
            with pytest.raises((trio.BrokenResourceError, EOFError)):
                await gateway.answer_to(gateway.cer())
    (line,) = [line for line in lines if line["event"] == "peer_refused"]
    assert "handshake" in line["reason"]
    assert "tls_client_ca_file" in line["remedy"]


async def test_peer_with_a_certificate_of_a_strange_authority_is_refused(lab, authority, mutual):
    stranger = client_context(authority)
    trustme.CA().issue_cert("pgw.example").configure_cert(stranger)
    async with lab.serving(**mutual) as (_, (_, tls)):
        gateway = await connect(lab, tls, stranger)
        with pytest.raises((trio.BrokenResourceError, EOFError)):
            await gateway.answer_to(gateway.cer())


async def test_plain_diameter_on_the_tls_port_harms_nobody(lab, authority, files):
    async with lab.serving(**files) as (_, (_, tls)):
        plain = await lab.connect(tls)
        await plain.send(plain.cer())
        with pytest.raises((trio.BrokenResourceError, EOFError)):
            while True:
                await plain.stream.receive_some()
                await plain.receive()
        secure = await (await connect(lab, tls, client_context(authority))).opens()
        _, result, _ = await secure.answer_to(secure.ccr())
        assert result == 2001


@pytest.mark.parametrize(
    "issued", ["pgw.example", "*.example", "uri", "common name", "expired", "not yet valid"]
)
async def test_only_a_valid_certificate_that_names_the_origin_host_is_let_in(lab, authority, mutual, issued):
    moment = dt.datetime.now(dt.UTC)
    match issued:
        case "uri":
            certificate = issue_with_uri(authority, "aaa://pgw.example:5868;transport=tcp")
        case "common name":
            certificate = authority.issue_cert("other.example", common_name="pgw.example")
        case "expired":
            certificate = authority.issue_cert("pgw.example", not_after=moment - dt.timedelta(hours=1))
        case "not yet valid":
            certificate = authority.issue_cert("pgw.example", not_before=moment + dt.timedelta(hours=1))
        case name:
            certificate = authority.issue_cert(name)
    context = client_context(authority)
    certificate.configure_cert(context)
    with structlog.testing.capture_logs() as lines:
        async with lab.serving(**mutual) as (_, (_, tls)):
            result = await offered_result(await connect(lab, tls, context))
    expected = {"pgw.example": 2001, "uri": 2001, "*.example": 3010, "common name": 3010}
    assert result == expected.get(issued)
    refusals = [line for line in lines if line["event"] == "peer_refused"]
    assert len(refusals) == (result != 2001)
    assert all(line["reason"] and line["remedy"] for line in refusals)


async def test_revoked_certificate_is_refused_and_others_of_its_authority_are_not(
    lab, authority, mutual, tmp_path
):
    revoked, good = authority.issue_cert("pgw.example"), authority.issue_cert("pgw.example")
    (tmp_path / "crl.pem").write_bytes(revocation_list(authority, revoked))
    mutual["tls_client_crl_file"] = str(tmp_path / "crl.pem")
    async with lab.serving(**mutual) as (_, (_, tls)):
        for certificate, expected in ((revoked, None), (good, 2001)):
            context = client_context(authority)
            certificate.configure_cert(context)
            assert await offered_result(await connect(lab, tls, context)) == expected


async def test_peer_that_must_use_tls_is_refused_without_it(lab, authority, mutual):
    peers = (PeerSettings(origin_host="pgw.example", tls=True),)
    async with lab.serving(**mutual, peers=peers) as (_, (plain, tls)):
        assert await offered_result(await lab.connect(plain)) == 5017
        assert await offered_result(await connect(lab, tls, client_context(authority, "pgw.example"))) == 2001


@pytest.mark.parametrize(("tls", "expected"), [(None, 5017), (False, 2001)])
async def test_where_certificates_are_shown_the_port_without_tls_serves_only_who_may_do_without(
    lab, mutual, tls, expected
):
    peers = (PeerSettings(origin_host="pgw.example", tls=tls),)
    async with lab.serving(**mutual, peers=peers) as (_, (plain, _)):
        assert await offered_result(await lab.connect(plain)) == expected


async def test_tls_1_1_is_refused(lab, authority, files):
    context = client_context(authority)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with lab.serving(**files) as (_, (_, tls)):
        assert await offered_result(await connect(lab, tls, context)) is None


@pytest.mark.parametrize(
    ("cipher", "served"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
        ("ECDHE-ECDSA-AES128-SHA", False),
        ("ECDHE-ECDSA-AES256-SHA384", False),
    ],
)
async def test_tls_1_2_is_spoken_with_authenticated_encryption_only(lab, authority, files, cipher, served):
    context = client_context(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    async with lab.serving(**files) as (_, (_, tls)):
        assert await offered_result(await connect(lab, tls, context)) == (2001 if served else None)


def test_renegotiation_compression_and_tickets_are_off(files, tmp_path):
    context = server_context(DiameterSettings(**files), tmp_path)
    assert context
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_TICKET
    assert context.num_tickets == 0


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o640, False), (0o644, True)])
def test_key_that_everybody_can_read_is_warned_of(files, tmp_path, mode, warns):
    (tmp_path / "ocs.pem").chmod(mode)
    with structlog.testing.capture_logs() as lines:
        server_context(DiameterSettings(**files), tmp_path)
    assert [line["event"] for line in lines] == ["key_is_readable_by_everybody"] * warns


def test_relative_names_start_at_the_configuration(files, tmp_path):
    assert server_context(DiameterSettings(tls_certificate_file="ocs.pem"), tmp_path) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"tls_certificate_file": "missing.pem"},
        {"tls_certificate_file": "ca.pem"},
        {"tls_certificate_file": "ocs.pem", "tls_key_file": "missing.pem"},
        {"tls_certificate_file": "ocs.pem", "tls_client_ca_file": "missing.pem"},
        {"tls_certificate_file": "ocs.pem", "tls_client_ca_file": "empty.pem"},
        {
            "tls_certificate_file": "ocs.pem",
            "tls_client_ca_file": "ca.pem",
            "tls_client_crl_file": "missing.pem",
        },
        {"tls_certificate_file": "ocs.pem", "tls_client_ca_file": "ca.pem", "tls_client_crl_file": "ca.pem"},
    ],
)
def test_unusable_file_is_named(files, tmp_path, wrong):
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(TlsSettingsError) as caught:
        server_context(DiameterSettings(**wrong), tmp_path)
    assert list(wrong.values())[-1] in str(caught.value)
