"""What all processes of ours have in common: how they were started, wait for the store, and are asked to end."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog
import trio

from ocs.balance.store_admin import StoreUnreachableError
from ocs.limits import STORE_PATIENCE_S

_Prepared = TypeVar("_Prepared")

log = structlog.get_logger()


class Launch(msgspec.Struct, frozen=True):
    """How a process was started.

    Attributes:
        config: the configuration file, None for the defaults.
        data_dir: the folder of this system's data.
        log_style: ``json`` or ``console``.
        lifeline_fd: ends with the parent; None when a user started this process.
        ready_fd: where the parent waits for the ready line; None writes it to stdout.
    """

    config: Path | None
    data_dir: Path
    log_style: str = "json"
    lifeline_fd: int | None = None
    ready_fd: int | None = None


async def prepare_patiently(prepare: Callable[[], _Prepared]) -> _Prepared:
    """Prepare the store; a process that starts again while the store does too waits for it a little.

    Args:
        prepare: blocks.

    Raises:
        StoreUnreachableError: it is still away. StoreRefusedError: one line with the remedy.
    """
    give_up_at = trio.current_time() + STORE_PATIENCE_S
    while True:
        try:
            return await trio.to_thread.run_sync(prepare)
        except StoreUnreachableError:
            if trio.current_time() > give_up_at:
                raise
            await trio.sleep(0.1)


async def stop_on_signal(request_stop: Callable[[], None]) -> None:
    """Call ``request_stop`` on SIGTERM or SIGINT."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("stopping", signal=signal.Signals(number).name)
            request_stop()
