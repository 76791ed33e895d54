"""Carries out, again and again, what crashes and unclear outcomes left of TMF654's actions."""

import trio

from ocs.api.prepay_balance.actions import Actions
from ocs.api.threads import ReaderUnavailableError, write_in_thread
from ocs.limits import ACTION_SWEEP_INTERVAL_S
from ocs.log import get_logger

log = get_logger(__name__)


async def sweep_actions(actions: Actions) -> None:
    """Look for pending records until cancelled; several processes may, since each action is done once."""
    while True:
        try:
            settled = await write_in_thread(actions.complete_pending)
        except ReaderUnavailableError as error:
            log.warning("action_sweep_failed", reason=str(error), remedy="look at the store")
        else:
            if settled:
                log.info("actions_settled", records=settled)
        await trio.sleep(ACTION_SWEEP_INTERVAL_S)
