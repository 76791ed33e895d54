import ssl

import pytest
import structlog
import trio
import trustme

from ocs.diameter_gy.tls import TlsSettingsError, server_context
from ocs.settings import DiameterSettings


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path):
    """Our certificate and key, and the authority of our peers, as the settings name them."""
    authority.issue_cert("ocs.lab.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "ocs.pem")
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


async def test_tls_older_than_1_2_is_not_spoken(files, tmp_path):
    context = server_context(DiameterSettings(**files), tmp_path)
    assert context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


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
    ],
)
def test_unusable_file_is_named(files, tmp_path, wrong):
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(TlsSettingsError) as caught:
        server_context(DiameterSettings(**wrong), tmp_path)
    assert list(wrong.values())[-1] in str(caught.value)
