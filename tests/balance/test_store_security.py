"""TLS and access rights to the store, with Debian's server (the embedded one has no TLS): what works, what is told."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import trustme
from redis.exceptions import NoPermissionError

from ocs.balance import keys, store_admin
from ocs.balance.model import Account, LifecycleState, encode_value
from ocs.balance.replicas import check_replicas
from ocs.balance.store_admin import StoreRefusedError, connect
from ocs.balance.store_client import StoreClient
from ocs.clock import ManualClock
from ocs.rating import load_catalogue
from ocs.settings import Settings, StoreSettings
from ocs.store_setup import (
    advance_origin_state,
    open_client,
    prepare_store,
    publish_catalogue,
    reload_library,
    store_address,
)
from tests.support.access_rights import least_rights
from tests.support.processes import CATALOGUE
from tests.support.store_servers import Server, debian_redis, free_port, single

PASSWORD = "correct-horse"
CLOCK = ManualClock(1_790_000_000_000)


class Lab(SimpleNamespace):
    """A server that speaks TLS, asks for certificates, and knows the user `ocs` with the least rights."""

    server: Server
    tls_port: int
    folder: Path

    def settings(self, **store: Any) -> Settings:
        named: dict[str, Any] = {
            "url": f"rediss://ocs@localhost:{self.tls_port}",
            "password_file": "secret",
            "tls_ca_file": "ca.pem",
            "tls_certificate_file": "ocs.pem",
            "tls_key_file": "ocs.pem",
        }
        return Settings(directory=self.folder, store=StoreSettings(**{**named, **store}))

    def refusal(self, **store: Any) -> str:
        named = self.settings(**store)
        with pytest.raises(StoreRefusedError) as caught:
            prepare_store(named, named.store.url, CLOCK)
        line = str(caught.value)
        assert "\n" not in line and PASSWORD not in line
        return line


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if debian_redis() is None:
        pytest.skip("redis-server is not installed, and the embedded server has no TLS")
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    stranger.cert_pem.write_to_path(folder / "stranger.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.issue_cert("ocs.lab.example").private_key_and_cert_chain_pem.write_to_path(folder / "ocs.pem")
    for name, secret in (("secret", PASSWORD), ("wrong", "wrong-horse")):
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)
    options = {
        "tls-port": str(tls_port := free_port()),
        "tls-cert-file": str(folder / "server.pem"),
        "tls-key-file": str(folder / "server.pem"),
        "tls-ca-cert-file": str(folder / "ca.pem"),
        "tls-auth-clients": "yes",
    }
    with single(folder, options, binary=debian_redis()) as server:
        server.admin.execute_command(*least_rights(PASSWORD))
        yield Lab(server=server, tls_port=tls_port, folder=folder)


@pytest.fixture(autouse=True)
def _empty(lab: Lab) -> None:
    lab.server.admin.flushall()


# --- What works --------------------------------------------------------------------------------------------------


def test_store_is_set_up_and_used_in_tls_with_the_least_rights(lab: Lab):
    named = lab.settings()
    prepared = prepare_store(named, named.store.url, CLOCK)
    publish_catalogue(named, named.store.url, load_catalogue(CATALOGUE))
    assert reload_library(prepared.address, prepared.meta) == 0
    known = prepared.meta.origin_state_id
    assert advance_origin_state(prepared.address, CLOCK, known, "a" * 40) == known + 1
    client = open_client(named, lab.folder)
    with client._store as store:
        account = Account("a", "EUR", LifecycleState.ACTIVE, 1, (), ())
        key = keys.account_key(client.partition_of("a"), "a")
        store.set(key, b"t" * 12 + encode_value(account))
        assert client.scan_accounts()[1] == [account]
        assert list(client.events("a")) == []
        assert client.claim_identities("a", "a", ("e164:49",)) is None
        assert check_replicas(store, named.store).missing


@pytest.mark.parametrize(
    "command", ["FLUSHALL", "KEYS *", "CONFIG SET appendonly no", "SHUTDOWN", "ACL LIST"]
)
def test_least_rights_do_not_let_it_harm_the_store(lab: Lab, command: str):
    with (
        StoreClient(store_address(lab.settings(), "")) as store,
        pytest.raises(NoPermissionError),
    ):
        store.execute_command(*command.split())


def test_least_rights_do_not_reach_the_keys_of_others(lab: Lab):
    with (
        StoreClient(store_address(lab.settings(), "")) as store,
        pytest.raises(NoPermissionError),
    ):
        store.set("theirs", "1")


# --- What is told ------------------------------------------------------------------------------------------------


def test_wrong_password_is_told_without_it(lab: Lab):
    line = lab.refusal(password_file="wrong")
    assert "[store] password_file" in line and "wrong-horse" not in line


def test_missing_password_is_told(lab: Lab):
    lab.server.admin.execute_command("ACL SETUSER default >x resetpass >x")
    try:
        assert "[store] password_file" in lab.refusal(
            url=f"rediss://localhost:{lab.tls_port}", password_file=""
        )
    finally:
        with redis.Redis(port=lab.server.port, password="x", protocol=2) as admin:
            admin.execute_command("ACL SETUSER default nopass")


def test_right_that_is_missing_is_told(lab: Lab):
    lab.server.admin.execute_command("ACL SETUSER ocs -config|get")
    try:
        line = lab.refusal()
        assert "config" in line.lower() and "give this user the rights that the runbook lists" in line
    finally:
        lab.server.admin.execute_command("ACL SETUSER ocs +config|get")


def test_store_of_an_authority_that_we_do_not_believe_is_refused(lab: Lab):
    assert "name in [store] tls_ca_file who issued the store's certificate" in lab.refusal(
        tls_ca_file="stranger.pem"
    )


def test_store_under_a_name_that_is_not_in_its_certificate_is_refused(lab: Lab):
    line = lab.refusal(url=f"rediss://ocs@127.0.0.1:{lab.tls_port}")
    assert "127.0.0.1" in line and "in [store] url the server as its certificate does" in line


def test_store_that_asks_who_we_are_and_is_not_told_refuses_us(lab: Lab):
    line = lab.refusal(tls_certificate_file="", tls_key_file="")
    assert "name in [store] tls_certificate_file who we are" in line


def test_tls_to_a_port_without_it_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store_admin, "STORE_TOPOLOGY_TIMEOUT_S", 0.2)  # such a port says nothing
    assert "(does this port speak TLS?)" in lab.refusal(url=f"rediss://ocs@localhost:{lab.server.port}")


def test_database_that_the_server_has_not_is_told(lab: Lab):
    line = lab.refusal(url=f"rediss://ocs@localhost:{lab.tls_port}/99")
    assert "name in [store] url a database that the server has" in line


def test_file_that_is_no_certificate_is_named(lab: Lab):
    assert "secret: holds no certificate in PEM form" in lab.refusal(tls_ca_file="secret")


def test_plain_words_to_a_port_of_tls_are_an_error_that_names_the_address(lab: Lab):
    with connect(f"redis://localhost:{lab.tls_port}") as store, pytest.raises(redis.ConnectionError):
        store.ping()
