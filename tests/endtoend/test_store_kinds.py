"""The whole system on stores of every kind: a session is opened, reported and ended, and its money is right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ocs.settings import Settings, StoreSettings
from ocs.store_setup import open_client
from tests.endtoend.lab import EURO, System, browsing_micro, running
from tests.endtoend.wire import (
    INITIAL,
    TERMINATION,
    UPDATE,
    Gateway,
    new_session,
    requested,
    retransmitted,
    service,
    subscription,
    used,
)
from tests.endtoend.wireshark import Capture
from tests.support.processes import ROOT
from tests.support.store_servers import cluster, debian_redis, free_port, sentinel_group, single

MSISDN, PASSWORD = "4915100000001", "correct-horse"
MIB = 1 << 20


def charge_a_session(ocs: System) -> None:
    """Open an account; use 3 MiB in a session of three requests; look at the account."""
    ocs.open_account("A", f"e164:{MSISDN}")
    with Gateway(ocs.address, Capture()) as plain:
        gateway = plain.opened()
        session = new_session()
        who = (subscription(0, MSISDN),)
        for number, (kind, parts) in enumerate(
            (
                (INITIAL, (requested(total=MIB),)),
                (UPDATE, (requested(total=MIB), used(total=MIB))),
                (TERMINATION, (used(total=2 * MIB),)),
            )
        ):
            request = gateway.credit(session, kind, number, service(10, *parts), subscriptions=who)
            assert gateway.ask(request).result == 2001
            assert gateway.ask(retransmitted(request)).result == 2001  # the first answer again
    assert ocs.reserved("A") == 0
    assert ocs.balance("A") == 5 * EURO - browsing_micro(3 * MIB)
    assert sum(event.amount_micro for event in ocs.debits("A")) == -browsing_micro(3 * MIB)


@pytest.fixture(params=["sentinel", "cluster"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sentinel":
        with sentinel_group(tmp_path, replicas=1) as group:
            yield group.url
    else:
        with cluster(tmp_path, primaries=3, replicas=1) as nodes:
            yield nodes.url


def test_session_is_charged_on_a_replicated_store(store_url: str, tmp_path: Path):
    options = {
        "OCS_STORE__URL": store_url,
        "OCS_STORE__DURABILITY": "replicated",
        "OCS_CHARGING__WORKERS": "2",
    }
    with running(tmp_path / "data", **options) as ocs:
        charge_a_session(ocs)
    assert not [line for line in ocs.log_lines() if line["event"] == "store_not_covered"]


def test_session_is_charged_in_tls_with_the_least_rights_and_the_password_is_not_shown(tmp_path: Path):
    if debian_redis() is None:
        pytest.skip("redis-server is not installed, and the embedded server has no TLS")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    (tmp_path / "secret").write_text(PASSWORD)
    (tmp_path / "secret").chmod(0o600)
    options = {
        "tls-port": str(port := free_port()),
        "tls-cert-file": str(tmp_path / "server.pem"),
        "tls-key-file": str(tmp_path / "server.pem"),
        "tls-ca-cert-file": str(tmp_path / "ca.pem"),
        "tls-auth-clients": "no",
    }
    runbook = (ROOT / "docs" / "runbook.md").read_text().splitlines()
    (rule,) = [line for line in runbook if line.startswith("ACL SETUSER ocs ")]
    named: dict[str, Any] = {
        "url": f"rediss://ocs@localhost:{port}",
        "password_file": str(tmp_path / "secret"),
        "tls_ca_file": str(tmp_path / "ca.pem"),
    }
    with single(tmp_path, options, binary=debian_redis()) as server:
        server.admin.execute_command(*rule.replace("PASSWORD", PASSWORD).split())
        with running(
            tmp_path / "data", **{f"OCS_STORE__{name.upper()}": value for name, value in named.items()}
        ) as ocs:
            ocs._client = open_client(Settings(store=StoreSettings(**named)), tmp_path)
            charge_a_session(ocs)
            assert not [entry for entry in server.admin.acl_log() if entry["username"] == "ocs"]
    assert PASSWORD not in ocs.log_path.read_text()
