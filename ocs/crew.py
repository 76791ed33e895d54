"""The workers of ``ocs up``: each kept running, replaced while it still serves, and all ended together."""

from typing import NamedTuple

import trio

from ocs.children import Child


class _Post(NamedTuple):
    """Who works under a name, and what keeps it running until it is cancelled and has ended."""

    child: Child
    keeping: trio.CancelScope
    is_kept_no_more: trio.Event


class Crew:
    """Children by name.

    Invariant: whatever was cancelled in whatever moment, :meth:`stop` ends every process that was ever started here,
    once :meth:`run` has returned.
    """

    def __init__(self) -> None:
        self._keeping: trio.Nursery | None = None
        self._posts: dict[str, _Post] = {}
        self._afoot: dict[Child, None] = {}

    @property
    def names(self) -> list[str]:
        """Who is on duty."""
        return list(self._posts)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep running whoever is enlisted, until cancelled."""
        async with trio.open_nursery() as self._keeping:
            task_status.started()
            await trio.sleep_forever()

    async def enlist(self, child: Child) -> None:
        """Start a child and keep it running; whoever had its name serves until it is ready, and is ended then.

        Cancelled, the newcomer may be on its way, or its forerunner may still run.

        Raises:
            ChildFailedError: the child did not come up; whoever had its name goes on.
        """
        if self._keeping is None:
            raise RuntimeError("nobody keeps this crew running yet")
        self._afoot[child] = None
        try:
            await child.start()
        except Exception:
            del self._afoot[child]
            raise
        forerunner = self._posts.get(child.name)
        post = self._posts[child.name] = _Post(child, trio.CancelScope(), trio.Event())
        self._keeping.start_soon(_keep, post)
        if forerunner is not None:
            await self._dismiss(forerunner)

    async def retire(self, name: str) -> None:
        """End a child for good; it answers what is in flight first."""
        await self._dismiss(self._posts.pop(name))

    async def stop(self) -> None:
        """End all of them at once, those too that are only just coming or going."""
        async with trio.open_nursery() as stopping:
            for child in self._afoot:
                stopping.start_soon(child.stop)

    async def _dismiss(self, post: _Post) -> None:
        # Who keeps it may be about to start it again: only when that is over, what is stopped stays so.
        post.keeping.cancel()
        await post.is_kept_no_more.wait()
        await post.child.stop()
        del self._afoot[post.child]


async def _keep(post: _Post) -> None:
    try:
        with post.keeping:
            await post.child.keep_running()
    finally:
        post.is_kept_no_more.set()
