"""``ocs reload``: the configuration is read anew, and the workers are replaced one by one while all of them serve.

A new worker is ready on the same listeners before the old one takes leave of its gateways, so there is always
somebody to reconnect to. One at a time, since each needs the memory of a worker and a second of a processor.
"""

import signal
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import structlog
import trio

from ocs.children import Child, ChildFailedError
from ocs.crew import Crew
from ocs.settings import Settings
from ocs.settings_file import SettingsError

log = structlog.get_logger()

# What `ocs up` itself has bound, started or handed out, and keeps for its life.
_FIXED: Final = (
    "diameter.host",
    "diameter.hosts",
    "diameter.port",
    "diameter.tls_port",
    "store.url",
    "store.durability",
    "store.data_dir",
    "store.partitions",
    "http.host",
    "http.port",
    "radius.host",
    "radius.auth_port",
    "radius.acct_port",
)


class ReloadOutcome(msgspec.Struct, frozen=True):
    """What a reload did.

    Attributes:
        replaced: workers that run with the new configuration now, in order; retired: those it does without.
        refused: why the configuration is not used at all; nothing has changed then.
        failed: why a worker did not come up; it and those after it go on as they were.
    """

    replaced: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    refused: str = ""
    failed: str = ""


def check_reloadable(running: Settings, wanted: Settings) -> None:
    """See whether workers alone can follow the new configuration.

    Raises:
        SettingsError: one line: the key that only a restart changes.
    """
    for key in _FIXED:
        if _value(running, key) != _value(wanted, key):
            raise SettingsError(f"{key}: it changes at a restart of `ocs up` only: set it back, or restart")
    if bool(running.diameter.tls_certificate_file) != bool(wanted.diameter.tls_certificate_file):
        raise SettingsError(
            "diameter.tls_certificate_file: TLS is begun or ended by a restart of `ocs up` only"
        )


def _value(settings: Settings, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(settings, section), name)


class Reloader:
    """Reloads when asked, one reload at a time; who asks during one gets the next, all of them the same.

    Args:
        settings: with which the workers run now.
        crew: the workers.
        read_settings: reads the configuration anew; blocks; raises SettingsError.
        publish: has the workers to come use the catalogue as its folder is now; blocks; raises SettingsError.
        make_workers: makes the children that follow the settings; none is started.
    """

    def __init__(
        self,
        settings: Settings,
        crew: Crew,
        *,
        read_settings: Callable[[], Settings],
        publish: Callable[[Settings], None],
        make_workers: Callable[[Settings], Sequence[Child]],
    ) -> None:
        self._settings = settings
        self._crew = crew
        self._read_settings = read_settings
        self._publish = publish
        self._make_workers = make_workers
        self._waiting: list[_Asker] = []
        self._wake = trio.Event()

    async def ask(self) -> ReloadOutcome:
        """Have the configuration read after this moment; returns when it is used, or is not.

        Cancelled, the reload takes place all the same.
        """
        asker = self._enqueue()
        await asker.is_done.wait()
        return asker.outcome

    def request(self) -> None:
        """The same for somebody who does not wait for it."""
        self._enqueue()

    async def run(self) -> None:
        """Serve those who ask, until cancelled; the workers may then be in any state that :meth:`Crew.stop` ends."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            askers, self._waiting = self._waiting, []
            outcome = await self._reload()
            for asker in askers:
                asker.outcome = outcome
                asker.is_done.set()

    def _enqueue(self) -> "_Asker":
        asker = _Asker()
        self._waiting.append(asker)
        self._wake.set()
        return asker

    async def _reload(self) -> ReloadOutcome:
        try:
            wanted = await trio.to_thread.run_sync(self._read_settings)
            check_reloadable(self._settings, wanted)
            await trio.to_thread.run_sync(self._publish, wanted)
        except SettingsError as error:
            log.error("reload_refused", reason=str(error), remedy="correct it and reload again")  # noqa: TRY400
            return ReloadOutcome(refused=str(error))
        workers = self._make_workers(wanted)
        replaced: list[str] = []
        for worker in workers:
            try:
                await self._crew.enlist(worker)
            except (ChildFailedError, OSError) as error:
                reason = str(error)
                log.error(  # noqa: TRY400
                    "reload_failed",
                    worker=worker.name,
                    reason=reason,
                    replaced=replaced,
                    remedy="the others go on as they were: correct it and reload again",
                )
                # The first one fails on what is wrong with the configuration: nothing has changed yet.
                return (
                    ReloadOutcome(tuple(replaced), failed=reason)
                    if replaced
                    else ReloadOutcome(refused=reason)
                )
            replaced.append(worker.name)
            log.info("worker_replaced", worker=worker.name)
        surplus = [name for name in self._crew.names if name not in replaced]
        for name in surplus:
            await self._crew.retire(name)
        self._settings = wanted
        log.info("reloaded", workers=len(replaced), retired=surplus)
        return ReloadOutcome(tuple(replaced), tuple(surplus))


class _Asker:
    """Somebody who waits for a reload."""

    def __init__(self) -> None:
        self.is_done = trio.Event()
        self.outcome = ReloadOutcome()


async def ignore_reload_signal(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Say on SIGHUP that nothing is reloaded, which would else end a process that does not listen to it (yet)."""
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            log.warning(
                "reload_ignored",
                reason="this process reloads nothing, or not yet",
                remedy="once it is ready, `ocs up` reloads; a worker that was started by hand is restarted",
            )


async def reload_on_signal(
    request: Callable[[], None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Call ``request`` on SIGHUP, which nobody else hears meanwhile; started when it does."""
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            log.info("reloading", signal="SIGHUP")
            request()
