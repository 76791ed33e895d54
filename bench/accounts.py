"""The accounts that a benchmark charges: the only place where ``bench`` reaches into the system under test."""

from collections.abc import Sequence
from pathlib import Path

from bench.templates import LoadPlan


class AccountsNotWiredError(RuntimeError):
    """No bulk path into the store is connected here."""


def create_accounts(data_dir: Path, plan: LoadPlan, count: int) -> None:
    """Create ``count`` prepaid accounts with ample balance in the running system's store, in bulk.

    Account ``i`` has one subscriber with the identities ``msisdn(plan, i)`` and ``imsi(plan, i)``.

    Args:
        data_dir: data folder of a running ``ocs up``, where its store's address stands.

    Raises:
        AccountsNotWiredError: this build has no bulk path.
    """
    raise AccountsNotWiredError(
        f"no bulk path into the store of {data_dir} for {count} accounts of run {plan.run}"
    )


def audit_accounts(data_dir: Path, plan: LoadPlan, acknowledged_octets: Sequence[int]) -> list[str]:
    """Compare each account's debited octets, in balance totals and event stream, with the generator's tally.

    Returns:
        One sentence for each account that differs; empty when all agree.

    Raises:
        AccountsNotWiredError: this build has no bulk path.
    """
    raise AccountsNotWiredError(
        f"no audit of {data_dir} for {len(acknowledged_octets)} accounts of run {plan.run}"
    )
