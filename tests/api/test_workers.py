"""One picture of all workers, also while some are silent, broken or of another release."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import trio

from ocs.api.prometheus import render_prometheus
from ocs.api.workers import WorkerOverview
from ocs.clock import ManualClock
from ocs.metrics import Counter, Gauge, Registry
from ocs.worker_channel import WorkerChannel, serve_worker_channel

pytestmark = pytest.mark.bounded(10)


def overview(channels, reader) -> WorkerOverview:
    registry = Registry()
    Counter("ocs_http_requests_total", "HTTP.", registry=registry).inc()

    async def find_channels() -> Sequence[WorkerChannel]:
        await trio.lowlevel.checkpoint()
        return channels

    return WorkerOverview(find_channels, reader, ManualClock(0), registry=registry)


async def odd_worker(tmp_path: Path, nursery: trio.Nursery, **answers) -> WorkerChannel:
    channel = WorkerChannel("worker-8", tmp_path / "odd.sock")
    await nursery.start(
        partial(serve_worker_channel, channel.path, {name: lambda v=v: v for name, v in answers.items()})
    )
    return channel


async def prometheus(workers: WorkerOverview) -> list[str]:
    return render_prometheus(await workers.metrics()).decode().splitlines()


async def test_metrics_of_all_workers_and_of_this_process_are_one(channels, reader, dead_worker):
    text = await prometheus(overview([*channels, dead_worker], reader))
    assert 'ocs_diameter_requests_total{request_type="update"} 3.0' in text
    assert "ocs_http_requests_total 1.0" in text
    assert 'ocs_worker_up{worker="worker-0"} 1.0' in text
    assert 'ocs_worker_up{worker="worker-9"} 0.0' in text


async def test_worker_of_another_release_is_left_out(channels, reader, tmp_path: Path, nursery: trio.Nursery):
    other = Registry()
    Gauge("ocs_diameter_requests_total", "Not a counter.", registry=other)
    for metrics in (b"\xc1", other.snapshot()):
        async with trio.open_nursery() as inner:
            odd = await odd_worker(tmp_path, inner, metrics=metrics, peers=5, health=b"\xc1")
            workers = overview([*channels, odd], reader)
            text = await prometheus(workers)
            assert 'ocs_worker_up{worker="worker-8"} 0.0' in text
            assert 'ocs_diameter_requests_total{request_type="update"} 3.0' in text
            assert (await workers.peers()).silent_workers == {
                "worker-8": "worker-8: it speaks another release's language"
            }
            assert not (await workers.readiness()).ready
            inner.cancel_scope.cancel()


async def test_peers_of_all_workers_are_listed_and_silent_workers_named(channels, reader, dead_worker):
    view = await overview([*channels, dead_worker], reader).peers()
    assert [(item.worker, item.connection["requests"]) for item in view.items] == [
        ("worker-0", 1),
        ("worker-1", 2),
    ]
    assert list(view.silent_workers) == ["worker-9"]


async def test_ready_when_the_store_and_every_worker_answer(channels, reader):
    readiness = await overview(channels, reader).readiness()
    assert readiness.ready
    assert [check.name for check in readiness.checks] == ["store", "worker-0", "worker-1"]


async def test_not_ready_while_a_worker_is_silent(channels, reader, dead_worker):
    readiness = await overview([*channels, dead_worker], reader).readiness()
    assert not readiness.ready
    assert [check.name for check in readiness.checks if not check.ok] == ["worker-9"]


async def test_not_ready_while_a_worker_has_no_store(reader, tmp_path: Path, nursery: trio.Nursery):
    odd = await odd_worker(tmp_path, nursery, health={"store": False})
    readiness = await overview([odd], reader).readiness()
    assert [check.detail for check in readiness.checks] == ["", "worker-8: it has no connection to the store"]


async def test_not_ready_while_a_worker_finds_another_store(reader, tmp_path: Path, nursery: trio.Nursery):
    health = {"store": False, "store_fault": "the store is empty"}
    readiness = await overview([await odd_worker(tmp_path, nursery, health=health)], reader).readiness()
    assert (readiness.ready, readiness.checks[1].detail) == (False, "worker-8: the store is empty")


async def test_not_ready_while_the_store_does_not_answer(channels, reader):
    reader.break_down()
    workers = overview(channels, reader)
    readiness = await workers.readiness()
    assert (readiness.ready, readiness.checks[0].detail) == (False, "not all of the store answers")
    assert (await workers.status()).open_sessions is None


async def test_store_that_hangs_is_given_up(reader, autojump_clock):
    reader.hangs = True
    readiness = await overview([], reader).readiness()
    assert readiness.checks[0].detail == "no answer within 2 s"


async def test_status_is_one_look_at_everything(channels, reader):
    status = await overview(channels, reader).status()
    assert status.time == "1970-01-01T00:00:00.000Z"
    assert (status.requests, status.answers, status.open_sessions) == (3, {"success": 3}, 2)
    assert status.latency.counts == (0, 3, 0)
