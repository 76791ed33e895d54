"""The vouchers' key is made once, for us alone, and never again."""

from pathlib import Path

import pytest

from ocs.secret_file import SecretFileError
from ocs.settings import Settings, VoucherSettings
from ocs.subscribers.operations import OperationError
from ocs.subscribers.voucher_secret import voucher_secret


def test_key_is_made_with_the_first_batch_and_kept(tmp_path: Path):
    with pytest.raises(OperationError, match="no key of vouchers"):
        voucher_secret(Settings(), tmp_path)
    first = voucher_secret(Settings(), tmp_path, may_create=True)
    assert len(first) == 64
    assert voucher_secret(Settings(), tmp_path) == first
    assert voucher_secret(Settings(), tmp_path, may_create=True) == first
    path = tmp_path / "voucher.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["voucher.key"]


def test_two_folders_have_two_keys(tmp_path: Path):
    keys = set()
    for name in "ab":
        (tmp_path / name).mkdir()
        keys.add(voucher_secret(Settings(), tmp_path / name, may_create=True))
    assert len(keys) == 2


def test_key_that_a_setting_names_is_read_and_never_made(tmp_path: Path):
    settings = Settings(vouchers=VoucherSettings(secret_file=str(tmp_path / "key")))
    with pytest.raises(SecretFileError, match="cannot read"):
        voucher_secret(settings, tmp_path, may_create=True)
    (tmp_path / "key").write_text("s3cret\n")
    with pytest.raises(SecretFileError, match="everybody can read"):
        voucher_secret(settings, tmp_path)
    (tmp_path / "key").chmod(0o600)
    assert voucher_secret(settings, tmp_path) == "s3cret"
