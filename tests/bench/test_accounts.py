"""The adapter to the system's store, where no store is."""

from pathlib import Path

import pytest

from bench.accounts import StoreNotFoundError, account_id, audit_accounts, create_accounts
from bench.templates import LoadPlan

PLAN = LoadPlan(host="127.0.0.1", port=3868, run=1)


def test_folder_without_a_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError, match=str(tmp_path)):
        create_accounts(tmp_path, PLAN, 10)
    with pytest.raises(StoreNotFoundError, match=str(tmp_path)):
        audit_accounts(tmp_path, PLAN, [1])


def test_each_account_has_its_own_id() -> None:
    assert len({account_id(PLAN, account) for account in range(100)}) == 100
