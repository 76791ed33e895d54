"""The local socket of a process: questions, answers, and everything that can be wrong with either side."""

import stat
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from ocs import worker_channel
from ocs.metrics import Counter, Registry, decode_snapshot
from ocs.worker_channel import (
    WorkerChannel,
    WorkerSilentError,
    ask_all,
    find_workers,
    serve_worker_channel,
)

pytestmark = pytest.mark.bounded(60)


def _fail() -> None:
    raise RuntimeError("boom")


@pytest.fixture
async def channel(tmp_path: Path, nursery: trio.Nursery) -> WorkerChannel:
    registry = Registry()
    Counter("ocs_x_total", "X.", registry=registry).inc()
    answers = {
        "metrics": registry.snapshot,
        "health": lambda: {"ready": True},
        "raw": lambda: b"\x01",
        "fails": _fail,
        "long": lambda: b"x" * 5_000_000,
    }
    path = tmp_path / "run" / "worker-0.sock"
    await nursery.start(partial(serve_worker_channel, path, answers))
    return WorkerChannel("worker-0", path)


async def test_questions_are_answered_in_msgpack(channel: WorkerChannel):
    assert msgspec.msgpack.decode(await channel.ask("health")) == {"ready": True}
    assert decode_snapshot(await channel.ask("metrics")).families[0].samples[0].value == 1
    assert await channel.ask("raw") == b"\x01"


async def test_socket_is_for_our_user_alone(channel: WorkerChannel):
    assert stat.S_IMODE(channel.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(channel.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("unknown", "worker-0: it does not know this question"),
        ("fails", "worker-0: it failed to answer; its log says why"),
        ("long", "worker-0: its answer is too long"),
        ("q" * 65, "worker-0: it hung up"),
    ],
)
async def test_refused_question_says_why_and_harms_nobody(channel: WorkerChannel, question: str, reason: str):
    with pytest.raises(WorkerSilentError) as caught:
        await channel.ask(question)
    # A connection closed with octets unread is reset on some systems.
    assert str(caught.value) == reason or (len(question) > 64 and str(caught.value).startswith("worker-0: "))
    assert await channel.ask("raw") == b"\x01"


async def test_dead_worker_is_reported_and_the_others_answer(channel: WorkerChannel, tmp_path: Path):
    dead = WorkerChannel("worker-1", tmp_path / "run" / "worker-1.sock")
    answers = await ask_all([dead, channel], "raw")
    assert list(answers) == ["worker-1", "worker-0"]
    assert answers["worker-0"] == b"\x01"
    assert isinstance(answers["worker-1"], WorkerSilentError)
    assert "No such file" in str(answers["worker-1"])


async def test_worker_that_hangs_is_given_up(tmp_path: Path, nursery: trio.Nursery, autojump_clock):
    listener = worker_channel._listen(tmp_path / "w.sock")
    async with listener:
        with pytest.raises(WorkerSilentError, match="no answer within 2 s"):
            await WorkerChannel("worker-0", tmp_path / "w.sock").ask("health")


async def test_worker_that_dies_within_an_answer_is_reported(tmp_path: Path, nursery: trio.Nursery):
    async def die(stream: trio.SocketStream) -> None:
        await stream.receive_some(100)
        await stream.send_all(b"\x00\x00\x00\x10half")
        await stream.aclose()

    listener = worker_channel._listen(tmp_path / "w.sock")
    nursery.start_soon(trio.serve_listeners, die, [listener])
    with pytest.raises(WorkerSilentError, match="hung up within a message"):
        await WorkerChannel("worker-0", tmp_path / "w.sock").ask("health")
    nursery.cancel_scope.cancel()


async def test_asker_that_dribbles_or_talks_nonsense_is_hung_up_on(channel: WorkerChannel):
    async with await trio.open_unix_socket(str(channel.path)) as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(trio.BrokenResourceError):
            assert await stream.receive_some(10) == b""
    assert await channel.ask("raw") == b"\x01"


async def test_askers_beyond_the_bound_are_hung_up_on(
    channel: WorkerChannel, monkeypatch: pytest.MonkeyPatch
):
    async with trio.open_nursery() as nursery:
        streams = [await trio.open_unix_socket(str(channel.path)) for _ in range(40)]
        ends: list[int] = []

        async def watch(number: int) -> None:
            with suppress(trio.BrokenResourceError):
                await streams[number].receive_some(1)
            ends.append(number)
            if len(ends) == 8:
                nursery.cancel_scope.cancel()

        for number in range(40):
            nursery.start_soon(watch, number)
    assert len(ends) == 8
    for stream in streams:
        await stream.aclose()


async def test_socket_of_a_killed_process_is_replaced_and_ours_is_removed(tmp_path: Path):
    path = tmp_path / "w.sock"
    worker_channel._listen(path).socket.close()
    assert path.exists()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_worker_channel, path, {"raw": lambda: b"\x01"}))
        assert await WorkerChannel("w", path).ask("raw") == b"\x01"
        nursery.cancel_scope.cancel()
    assert not path.exists()


async def test_socket_of_a_successor_is_left_alone(tmp_path: Path):
    path = tmp_path / "w.sock"
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_worker_channel, path, {}))
        path.rename(tmp_path / "old.sock")
        successor = worker_channel._listen(path)
        nursery.cancel_scope.cancel()
    assert path.exists()
    await successor.aclose()


async def test_folder_too_deep_for_a_socket_address_works_all_the_same(tmp_path: Path, nursery: trio.Nursery):
    path = tmp_path / ("d" * 100) / ("e" * 100) / "worker-0.sock"
    await nursery.start(partial(serve_worker_channel, path, {"raw": lambda: b"\x01"}))
    assert await WorkerChannel("worker-0", path).ask("raw") == b"\x01"
    nursery.cancel_scope.cancel()


async def test_errand_takes_its_time_and_others_are_answered_meanwhile(
    tmp_path: Path, nursery: trio.Nursery, autojump_clock
):
    async def reload() -> str:
        await trio.sleep(10 * worker_channel.CHANNEL_TIMEOUT_S)
        return "done"

    path = tmp_path / "up.sock"
    await nursery.start(partial(serve_worker_channel, path, {"raw": lambda: b"\x01"}, {"reload": reload}))
    channel, answers = WorkerChannel("up", path), []

    async def ask() -> None:
        answers.append(msgspec.msgpack.decode(await channel.ask("reload", timeout_s=60)))

    async with trio.open_nursery() as asking:
        asking.start_soon(ask)
        assert await channel.ask("raw") == b"\x01"
        assert answers == []
    assert answers == ["done"]
    nursery.cancel_scope.cancel()


async def test_errand_is_done_to_its_end_when_its_asker_has_left(tmp_path: Path, nursery: trio.Nursery):
    begun, gate, done = trio.Event(), trio.Event(), trio.Event()

    async def reload() -> None:
        begun.set()
        await gate.wait()
        done.set()

    path = tmp_path / "up.sock"
    await nursery.start(partial(serve_worker_channel, path, {}, {"reload": reload}))
    async with trio.open_nursery() as asking:
        asking.start_soon(WorkerChannel("up", path).ask, "reload")
        await begun.wait()
        asking.cancel_scope.cancel()
    gate.set()
    await done.wait()
    nursery.cancel_scope.cancel()


async def test_workers_of_a_folder_are_those_that_up_keeps_and_those_that_left_a_socket(
    tmp_path: Path, nursery: trio.Nursery
):
    assert await find_workers(tmp_path) == []
    for number in (10, 9):
        await nursery.start(partial(serve_worker_channel, tmp_path / f"worker-{number}.sock", {}))
    assert [channel.name for channel in await find_workers(tmp_path)] == ["worker-9", "worker-10"]
    up = {"workers": lambda: ["worker-0", "worker-9"]}
    await nursery.start(partial(serve_worker_channel, tmp_path / "up.sock", up))
    found = await find_workers(tmp_path)
    assert [channel.name for channel in found] == ["worker-0", "worker-9", "worker-10"]
    assert found[0].path == tmp_path / "worker-0.sock"
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("answer", [b"\xc1", 5])
async def test_up_that_speaks_another_language_hides_no_worker(tmp_path: Path, nursery: trio.Nursery, answer):
    await nursery.start(partial(serve_worker_channel, tmp_path / "worker-0.sock", {}))
    await nursery.start(partial(serve_worker_channel, tmp_path / "up.sock", {"workers": lambda: answer}))
    assert [channel.name for channel in await find_workers(tmp_path)] == ["worker-0"]
    nursery.cancel_scope.cancel()
