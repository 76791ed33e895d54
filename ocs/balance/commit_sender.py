"""Sends commits by redis-py, each to the server that holds its partition, and waits for the replicas if so set."""

from collections.abc import Sequence
from typing import Any

import redis

from ocs.balance.barrier import Barrier
from ocs.balance.keys import barrier_key, events_key
from ocs.balance.redis_commands import commit_command, decode_commit_reply
from ocs.balance.store import COMMITTED, Commit, CommitResult, Committed, Conflict, Unavailable
from ocs.balance.store_client import Command, StoreClient


class CommitSender:
    """Sends commits of administration; blocks."""

    def __init__(self, client: StoreClient, barrier: Barrier | None) -> None:
        self._client = client
        self._barrier = barrier

    @property
    def has_barrier(self) -> bool:
        """Whether a commit waits for replicas, so that one without writes is more than a look."""
        return self._barrier is not None

    def send(self, commits: Sequence[Commit]) -> list[CommitResult]:
        """Send commits of any partitions; their results in the same order.

        ``Committed`` says that the replicas have it too, if they must. ``Unavailable`` says that nothing is known.
        """
        batches: dict[redis.Redis, list[int]] = {}
        results: list[CommitResult] = [Unavailable("not sent")] * len(commits)
        try:
            for index, commit in enumerate(commits):
                batches.setdefault(self._client.holder(events_key(commit.partition)), []).append(index)
        except (redis.RedisError, OSError) as error:  # redis-py lets some of the socket's through
            return [Unavailable(str(error))] * len(commits)
        for indexes in batches.values():
            answered = self._send_batch([commits[index] for index in indexes])
            for index, result in zip(indexes, answered, strict=True):
                results[index] = result
        return results

    def _send_batch(self, commits: list[Commit]) -> list[CommitResult]:
        """Send commits that lie on one server, and the barrier behind them on the same connection."""
        commands: list[Command] = [tuple(commit_command(commit)) for commit in commits]
        if self._barrier is not None:
            # WAIT counts its own connection's writes, and a commit may have found nothing to write. It is gone at
            # once: a copy left behind on the other side of a partition that moves key by key would stop the move.
            last = commits[-1]
            commands += [
                ("SET", barrier_key(last.partition), last.token, "PX", 1),
                ("WAIT", self._barrier.replicas, self._barrier.timeout_ms),
            ]
        try:
            replies = self._client.send(events_key(commits[0].partition), commands)
        except (redis.RedisError, OSError) as error:  # redis-py lets some of the socket's through
            return [Unavailable(str(error))] * len(commits)
        behind = replies[len(commits) :]
        if len(commits) > 1 and behind and isinstance(behind[0], redis.RedisError):
            # The partition in which the barrier wrote has moved meanwhile: each commit brings its own.
            return [self._send_batch([commit])[0] for commit in commits]
        failure = self._missing(behind)
        return [
            self._result(commit, reply, failure, is_alone=len(commits) == 1)
            for commit, reply in zip(commits, replies, strict=False)
        ]

    def _result(
        self, commit: Commit, reply: Any, failure: Unavailable | None, *, is_alone: bool
    ) -> CommitResult:
        if isinstance(reply, redis.RedisError):
            # Its partition has moved meanwhile, or something else is wrong with it: alone it goes its own way.
            return Unavailable(str(reply)) if is_alone else self._send_batch([commit])[0]
        result = decode_commit_reply(reply)
        # What was sent again because its connection broke finds itself.
        if isinstance(result, Conflict) and any(stored.token == commit.token for stored in result.current):
            result = COMMITTED
        return failure if failure is not None and isinstance(result, Committed) else result

    def _missing(self, replies: list[Any]) -> Unavailable | None:
        """Why the barrier behind a batch did not hold; None when it did or need not."""
        if self._barrier is None or not self._barrier.is_required:
            return None
        written, having = replies
        if isinstance(written, Exception) or not isinstance(having, int):
            return Unavailable(f"the barrier failed: {written}, {having}")
        if having < self._barrier.replicas:
            return Unavailable(
                f"{having} of {self._barrier.replicas} replicas have it after {self._barrier.timeout_ms} ms"
            )
        return None
