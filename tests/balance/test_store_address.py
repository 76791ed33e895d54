"""The `[store]` section as an address: secrets from their files, files of TLS beside the configuration."""

import ssl
from pathlib import Path

import pytest
import trustme

from ocs.balance.store_address import (
    StoreAddressError,
    make_tls_context,
    plain_address,
    read_store_address,
)
from ocs.settings import Settings, StoreSettings


def secret(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text + "\n")
    path.chmod(mode)
    return path.name


def settings(folder: Path, **store: str) -> Settings:
    return Settings(directory=folder, store=StoreSettings(**store))  # type: ignore[arg-type]


def test_secrets_come_from_their_files_and_are_not_shown(tmp_path: Path):
    named = settings(
        tmp_path,
        url="redis+sentinel://ann@h:1/main",
        password_file=secret(tmp_path / "one", "hunter2"),
        sentinel_password_file=secret(tmp_path / "two", "horse"),
    )
    address = read_store_address(named)
    assert (address.username, address.password, address.sentinel_password) == ("ann", "hunter2", "horse")
    assert (address.kind, address.name, address.nodes[0].port) == ("sentinel", "main", 1)
    assert str(address) == "redis+sentinel://ann@h:1/main"
    assert "hunter2" not in repr(address) and "horse" not in repr(address)


def test_password_of_the_file_goes_before_the_one_of_the_url(tmp_path: Path):
    named = settings(tmp_path, url="redis://u:one@h", password_file=secret(tmp_path / "s", "two"))
    assert read_store_address(named).password == "two"


def test_url_that_is_handed_over_goes_before_the_configured_one(tmp_path: Path):
    assert str(read_store_address(settings(tmp_path, url="redis://a:1"), "redis://b:2")) == "redis://b:2"


def test_secret_open_to_everybody_is_refused(tmp_path: Path):
    named = settings(tmp_path, url="redis://h", password_file=secret(tmp_path / "s", "x", 0o644))
    with pytest.raises(StoreAddressError, match="chmod o-r"):
        read_store_address(named)


def test_url_of_nothing_is_refused(tmp_path: Path):
    with pytest.raises(StoreAddressError, match=r"\[store\] url: expected an address"):
        read_store_address(settings(tmp_path, url="ftp://h"))
    with pytest.raises(StoreAddressError, match="expected an address"):
        plain_address("ftp://h")


def test_plain_store_needs_no_tls():
    assert make_tls_context(plain_address("redis://h")) is None


def test_tls_checks_certificate_and_name_and_shows_ours(tmp_path: Path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours = authority.issue_cert("ocs.lab.example")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "ocs.pem")
    named = settings(
        tmp_path,
        url="rediss://h",
        tls_ca_file="ca.pem",
        tls_certificate_file="ocs.pem",
        tls_key_file="ocs.pem",
    )
    context = make_tls_context(read_store_address(named))
    assert context is not None
    assert context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1  # nobody else is believed


@pytest.mark.parametrize("key", ["tls_ca_file", "tls_certificate_file"])
def test_tls_file_that_holds_something_else_is_named(tmp_path: Path, key: str):
    (tmp_path / "nonsense.pem").write_text("nonsense")
    named = settings(tmp_path, url="rediss://h", **{key: "nonsense.pem"})
    with pytest.raises(StoreAddressError, match=rf"nonsense\.pem: .*\[store\] {key}"):
        make_tls_context(read_store_address(named))
