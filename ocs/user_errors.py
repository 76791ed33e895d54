"""Which errors a user can put right; of interest, and loaded, when a command has failed.

It knows every room, for any of them may refuse.
"""

from typing import Final

import redis

from ocs.api.tokens import TokenError
from ocs.balance.backup import BackupError
from ocs.balance.client import StoreBusyError
from ocs.balance.embedded import EmbeddedStoreError
from ocs.balance.scan import ScanInterruptedError
from ocs.balance.store_admin import StoreRefusedError
from ocs.balance.verify import CannotVerifyError
from ocs.catalogue_schedule import PublishError
from ocs.children import ChildFailedError
from ocs.diameter_gy.policy import PolicyError
from ocs.diameter_gy.tls import TlsSettingsError
from ocs.faults.book.operator_rules import OperatorRuleError
from ocs.faults.mibs import MibError
from ocs.faults.rules import RulesError
from ocs.faults.rules.described_trap import DescriptionError
from ocs.faults.store.batch import AlarmStoreError
from ocs.faults.store.desk import DeskBusyError, NoSuchAlarmError
from ocs.faults.topology.schema import TopologyError
from ocs.inventory.errors import InventoryError
from ocs.peer_notices import NoticesUnavailableError
from ocs.process_commands import NotRunningError
from ocs.provisioning.compliance.errors import NoSuchBackupError
from ocs.provisioning.errors import ElementError
from ocs.rating import CatalogueError
from ocs.secret_file import SecretFileError
from ocs.settings_file import SettingsError
from ocs.sql_error import SqlError
from ocs.subscribers.operations import OperationError
from ocs.units import AmountError, CurrencyMismatchError

# What a user can put right: one line on stderr, no traceback.
USER_ERRORS: Final = (
    AlarmStoreError,
    AmountError,
    BackupError,
    CannotVerifyError,
    CatalogueError,
    ChildFailedError,
    CurrencyMismatchError,
    DescriptionError,
    ElementError,
    EmbeddedStoreError,
    InventoryError,
    MibError,
    NoSuchBackupError,
    NoticesUnavailableError,
    NotRunningError,
    OperationError,
    OperatorRuleError,
    OSError,
    PolicyError,
    PublishError,
    RulesError,
    ScanInterruptedError,
    SecretFileError,
    SettingsError,
    SqlError,
    StoreBusyError,
    StoreRefusedError,
    TlsSettingsError,
    TokenError,
    TopologyError,
    redis.RedisError,
)
# What the state of things does not allow.
REFUSALS: Final = (
    AmountError,
    CurrencyMismatchError,
    DeskBusyError,
    ElementError,
    InventoryError,
    NoSuchAlarmError,
    NoSuchBackupError,
    OperationError,
    OperatorRuleError,
    PublishError,
    StoreBusyError,
    TokenError,
)
