"""What the HTTP process brings to its API: the offers in force, services, the way to gateways."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ocs.balance import keys
from ocs.catalogue_schedule import publish
from ocs.http_backstage import StoreBackstage
from ocs.limits import CATALOGUE_LOOK_INTERVAL_S
from ocs.reauthoriser import Told
from ocs.settings import AccountsSettings, Settings, VoucherSettings
from ocs.subscribers.office import AccountChange
from ocs.subscribers.operations import OperationError
from ocs.units import Money
from tests.support.catalogue import dearer_catalogue, lab_catalogue
from tests.support.charged_store import ChargedStore, started_server


class FakeReauthoriser:
    """Notes what it is told, and takes on what it is asked."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, AccountChange]] = []
        self.demanded: list[Any] = []

    def account_changed(self, account_id: str, change: AccountChange) -> None:
        self.changes.append((account_id, change))

    def demand_from_thread(self, demands: Any) -> Told:
        self.demanded = list(demands)
        return Told(len(self.demanded), ())


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with started_server(tmp_path_factory.mktemp("store")) as url:
        yield url


@pytest.fixture
def store(url: str) -> Generator[ChargedStore]:
    store = ChargedStore(url)
    store.set_up()
    yield store
    store.close()


@pytest.fixture
def reauthoriser() -> FakeReauthoriser:
    return FakeReauthoriser()


@pytest.fixture
def backstage(store: ChargedStore, reauthoriser: FakeReauthoriser, tmp_path: Path) -> StoreBackstage:
    settings = Settings(accounts=AccountsSettings(starts_created=True))
    return StoreBackstage(store.admin, store.client, store.clock, settings, tmp_path, reauthoriser)  # type: ignore[arg-type]


def put_in_force(store: ChargedStore, catalogue: Any) -> None:
    now_s = store.clock.now_ms() // 1000
    publish(store.admin, catalogue, effective_s=now_s, now_s=now_s)


def test_catalogue_is_the_one_in_force_and_followed(store: ChargedStore, backstage: StoreBackstage):
    put_in_force(store, lab_catalogue())
    assert backstage.catalogue().version == lab_catalogue().version
    store.clock.advance_ms(1_000)
    put_in_force(store, dearer_catalogue())
    store.clock.advance_ms(int(CATALOGUE_LOOK_INTERVAL_S * 1000))
    assert backstage.catalogue().version == dearer_catalogue().version
    versions = [(each.version, each.in_force) for each in backstage.publications()]
    assert versions == [(lab_catalogue().version, False), (dearer_catalogue().version, True)]


def test_catalogue_is_not_read_for_every_request(store: ChargedStore, backstage: StoreBackstage):
    put_in_force(store, lab_catalogue())
    assert backstage.catalogue() is backstage.catalogue()


def test_without_a_catalogue_nothing_is_sold(backstage: StoreBackstage):
    with pytest.raises(OperationError, match="no catalogue is in force"):
        backstage.catalogue()


def test_top_up_is_told_to_gateways(
    store: ChargedStore, backstage: StoreBackstage, reauthoriser: FakeReauthoriser
):
    put_in_force(store, lab_catalogue())
    store.open_account("A1")
    backstage.service().top_up("A1", Money(1_000_000, "EUR"), reference="r")
    assert reauthoriser.changes == [("A1", AccountChange.BALANCE)]


def test_operators_rules_hold_over_http_too(store: ChargedStore, backstage: StoreBackstage):
    assert backstage._settings.accounts.starts_created
    put_in_force(store, lab_catalogue())
    assert backstage.service().office.rules.lifecycle.starts_created


def test_vouchers_need_their_key(store: ChargedStore, backstage: StoreBackstage, tmp_path: Path):
    put_in_force(store, lab_catalogue())
    with pytest.raises(OperationError, match="vouchers are not set up here"):
        backstage.vouchers()
    key = tmp_path / "voucher.key"
    key.write_text("secret\n")
    key.chmod(0o644)
    with pytest.raises(OperationError, match="vouchers are not set up here"):
        backstage.vouchers()  # everybody could read it
    key.chmod(0o600)
    assert backstage.vouchers() is not None
    backstage._settings = msgspec.structs.replace(
        backstage._settings, vouchers=VoucherSettings(secret_file=str(key)), directory=tmp_path
    )
    assert backstage.vouchers() is not None


def test_first_batch_over_http_makes_the_key_and_nothing_else_does(
    store: ChargedStore, backstage: StoreBackstage, tmp_path: Path
):
    put_in_force(store, lab_catalogue())
    ((serial, code),) = backstage.vouchers(may_create=True).generate("FIRST", 1, Money(5_000_000, "EUR"))
    key = tmp_path / "voucher.key"
    assert key.stat().st_mode & 0o777 == 0o600
    made = key.read_text()
    backstage.vouchers(may_create=True)
    assert key.read_text() == made
    backstage.vouchers().activate(serial)
    store.fill()
    account_id = store.client.scan_accounts()[1][0].account_id
    assert backstage.vouchers().redeem(account_id, code).amount == Money(5_000_000, "EUR")


def test_open_sessions_are_reauthorised(
    store: ChargedStore, backstage: StoreBackstage, reauthoriser: FakeReauthoriser
):
    store.fill()
    account_id = next(
        account.account_id
        for account in store.client.scan_accounts()[1]
        if store.client.open_sessions(account.account_id)
    )
    session = store.client.open_sessions(account_id)[0]
    location = keys.encode_location(account_id, session.subscriber_id)
    store.admin.set(keys.locator_key(session.session_id), location)
    assert backstage.reauthorise(session_id=session.session_id, account_id="") == 1
    assert [demand.session_id for demand in reauthoriser.demanded] == [session.session_id]
    assert backstage.reauthorise(session_id="", account_id=account_id) == len(
        store.client.open_sessions(account_id)
    )
    assert backstage.reauthorise(session_id="none", account_id="") == 0
