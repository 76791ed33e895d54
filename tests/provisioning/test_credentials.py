"""Who we are, and what must not be seen."""

from pathlib import Path

import pytest

from ocs.provisioning.credentials import Credential, Secrets, load_credential, load_secrets
from ocs.secret_file import SecretFileError
from ocs.settings import ElementCredentialSettings


def secret(folder: Path, name: str, text: str, mode: int = 0o600) -> None:
    (folder / name).write_text(text + "\n")
    (folder / name).chmod(mode)


def test_a_credential_is_read_from_its_files_and_does_not_show_them(tmp_path: Path) -> None:
    secret(tmp_path, "pw", "hunter22")
    secret(tmp_path, "en", "enable22")
    settings = ElementCredentialSettings(name="lab", user="ocs", password_file="pw", enable_file="en")
    credential = load_credential(settings, tmp_path)
    assert credential == Credential(user="ocs", password="hunter22", enable_password="enable22")
    assert "22" not in f"{credential!r} {credential}"


def test_a_password_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    secret(tmp_path, "pw", "hunter22", 0o644)
    with pytest.raises(SecretFileError, match="everybody"):
        load_credential(ElementCredentialSettings(name="lab", user="ocs", password_file="pw"), tmp_path)


def test_secrets_are_put_in_and_put_back(tmp_path: Path) -> None:
    secret(tmp_path, "snmp-auth", "longenough1")
    secret(tmp_path, ".hidden", "longenough2")
    secrets = load_secrets(tmp_path)
    assert secrets.resolved("secret:snmp-auth") == "longenough1"
    assert secrets.resolved("plain") == "plain"
    assert secrets.concealed("longenough1") == "secret:snmp-auth"
    assert secrets.concealed("longenough2") == "longenough2"
    with pytest.raises(KeyError, match="nobody"):
        secrets.resolved("secret:nobody")


def test_a_short_secret_is_not_found_in_every_value_that_looks_like_it() -> None:
    secrets = Secrets({"community": "public"})
    assert secrets.resolved("secret:community") == "public"
    assert secrets.concealed("public") == "public"


def test_two_secrets_of_one_value_are_refused_by_name_and_not_by_value() -> None:
    with pytest.raises(SecretFileError, match="a and b") as refused:
        Secrets({"a": "samesame1", "b": "samesame1"})
    assert "samesame1" not in str(refused.value)


def test_without_a_folder_there_are_no_secrets_and_a_missing_one_is_named(tmp_path: Path) -> None:
    assert load_secrets(None).resolved("x") == "x"
    with pytest.raises(SecretFileError, match="gone"):
        load_secrets(tmp_path / "gone")


def test_value_of_an_element_that_looks_like_a_secret_is_not_replaced_by_one() -> None:
    secrets = Secrets({"snmp": "longenough1"})
    for text in ("secret:snmp", "secret:", "secret:=snmp", "secret:nobody"):
        assert secrets.concealed(text) not in {text, "secret:snmp"}
        assert secrets.resolved(secrets.concealed(text)) == text


def test_what_an_element_says_is_told_without_secrets() -> None:
    secrets = Secrets({"snmp": "longenough1", "longer": "longenough12", "short": "1"})
    assert (
        secrets.redacted("bad 'longenough12', 'longenough1' at 1")
        == "bad 'secret:longer', 'secret:snmp' at 1"
    )
