"""Reloading: what is read anew, what only a restart changes, who waits for which reload, and what failed."""

import argparse
import os
import signal
from functools import partial

import msgspec
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from ocs import app, cli
from ocs.children import Child, ChildFailedError
from ocs.reload import (
    Reloader,
    ReloadOutcome,
    check_reloadable,
    ignore_reload_signal,
    reload_on_signal,
)
from ocs.settings import ChargingSettings, DiameterSettings, HttpSettings, Settings, StoreSettings
from ocs.settings_file import SettingsError

pytestmark = pytest.mark.bounded(30)


def with_workers(count: int) -> Settings:
    return Settings(charging=ChargingSettings(workers=count))


class FakeCrew:
    """Takes children without starting them."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.steps: list[str] = []
        self.broken: dict[str, Exception] = {}
        self.gate = trio.Event()
        self.gate.set()

    async def enlist(self, child: Child) -> None:
        await self.gate.wait()
        await trio.lowlevel.checkpoint()
        if child.name in self.broken:
            raise self.broken[child.name]
        self.steps.append(f"+{child.name}")
        if child.name not in self.names:
            self.names.append(child.name)

    async def retire(self, name: str) -> None:
        await trio.lowlevel.checkpoint()
        self.steps.append(f"-{name}")
        self.names.remove(name)


class Bench:
    """A reloader on a crew of two, with a configuration that a test may change."""

    def __init__(self) -> None:
        self.crew = FakeCrew(["worker-0", "worker-1"])
        self.wanted: Settings | SettingsError = with_workers(2)
        self.readings = 0
        self.published: list[Settings] = []
        self.unpublishable = ""
        self.reloader = Reloader(
            with_workers(2),
            self.crew,  # type: ignore[arg-type]
            read_settings=self._read,
            publish=self._publish,
            make_workers=lambda settings: [
                Child(f"worker-{number}", (), {}) for number in range(settings.charging.workers)
            ],
        )

    def _read(self) -> Settings:
        self.readings += 1
        if isinstance(self.wanted, SettingsError):
            raise self.wanted
        return self.wanted

    def _publish(self, settings: Settings) -> None:
        if self.unpublishable:
            raise SettingsError(self.unpublishable)
        self.published.append(settings)


@pytest.fixture
async def bench(nursery: trio.Nursery):
    bench = Bench()
    nursery.start_soon(bench.reloader.run)
    yield bench
    nursery.cancel_scope.cancel()


async def test_workers_are_replaced_one_by_one_in_order(bench: Bench) -> None:
    assert await bench.reloader.ask() == ReloadOutcome(("worker-0", "worker-1"))
    assert bench.crew.steps == ["+worker-0", "+worker-1"]


async def test_more_workers_are_added_and_fewer_are_retired_when_the_others_are_replaced(
    bench: Bench,
) -> None:
    bench.wanted = with_workers(3)
    assert (await bench.reloader.ask()).replaced == ("worker-0", "worker-1", "worker-2")
    bench.crew.steps.clear()
    bench.wanted = with_workers(1)
    assert await bench.reloader.ask() == ReloadOutcome(("worker-0",), ("worker-1", "worker-2"))
    assert bench.crew.steps == ["+worker-0", "-worker-1", "-worker-2"]


async def test_bad_configuration_changes_nothing_and_is_one_line(bench: Bench) -> None:
    bench.wanted = SettingsError("ocs.toml: diameter.prot: unknown key")
    assert await bench.reloader.ask() == ReloadOutcome(refused="ocs.toml: diameter.prot: unknown key")
    assert bench.crew.steps == []
    bench.wanted = with_workers(2)
    assert (await bench.reloader.ask()).refused == ""


async def test_catalogue_is_published_when_the_configuration_can_be_used_and_before_workers_start(
    bench: Bench,
) -> None:
    bench.unpublishable = "catalogue in /etc/ocs/catalogue: offers.toml: no price"
    assert (await bench.reloader.ask()).refused == bench.unpublishable
    assert bench.crew.steps == []
    bench.unpublishable = ""
    bench.wanted = Settings(http=HttpSettings(port=1))
    assert (await bench.reloader.ask()).refused and bench.published == []
    bench.wanted = with_workers(2)
    assert (await bench.reloader.ask()).refused == ""
    assert bench.published == [bench.wanted]


@pytest.mark.parametrize("error", [ChildFailedError("offers.toml: no price"), OSError("no more processes")])
async def test_what_the_first_worker_finds_wrong_changes_nothing(bench: Bench, error: Exception) -> None:
    bench.crew.broken["worker-0"] = error
    assert await bench.reloader.ask() == ReloadOutcome(refused=str(error))
    assert bench.crew.steps == []


async def test_later_worker_that_does_not_come_up_ends_the_reload_there(bench: Bench) -> None:
    bench.wanted = with_workers(3)
    bench.crew.broken["worker-1"] = ChildFailedError("worker-1 did not start: it was killed by SIGKILL")
    outcome = await bench.reloader.ask()
    assert outcome == ReloadOutcome(("worker-0",), failed="worker-1 did not start: it was killed by SIGKILL")
    assert bench.crew.steps == ["+worker-0"]


async def test_who_asks_during_a_reload_gets_the_next_one_and_all_of_them_the_same(
    bench: Bench, nursery: trio.Nursery
) -> None:
    outcomes: list[tuple[int, ReloadOutcome]] = []

    async def ask(number: int) -> None:
        outcomes.append((number, await bench.reloader.ask()))

    bench.crew.gate = trio.Event()
    async with trio.open_nursery() as asking:
        asking.start_soon(ask, 0)
        while not bench.readings:
            await trio.lowlevel.checkpoint()
        bench.wanted = with_workers(1)
        for number in (1, 2):
            asking.start_soon(ask, number)
        bench.reloader.request()
        await trio.testing.wait_all_tasks_blocked()
        bench.crew.gate.set()
    assert bench.readings == 2
    assert outcomes[0] == (0, ReloadOutcome(("worker-0", "worker-1")))
    assert {outcome for _, outcome in outcomes[1:]} == {ReloadOutcome(("worker-0",), ("worker-1",))}


async def test_reload_goes_on_when_who_asked_for_it_has_left(bench: Bench) -> None:
    bench.crew.gate = trio.Event()
    async with trio.open_nursery() as asking:
        asking.start_soon(bench.reloader.ask)
        while not bench.readings:
            await trio.lowlevel.checkpoint()
        asking.cancel_scope.cancel()
    bench.crew.gate.set()
    while len(bench.crew.steps) < 2:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    ("wanted", "key"),
    [
        (Settings(diameter=DiameterSettings(port=1)), "diameter.port"),
        (Settings(diameter=DiameterSettings(hosts=("::1",))), "diameter.hosts"),
        (Settings(diameter=DiameterSettings(tls_certificate_file="a.pem")), "diameter.tls_certificate_file"),
        (Settings(store=StoreSettings(url="redis://elsewhere")), "store.url"),
        (Settings(store=StoreSettings(partitions=1)), "store.partitions"),
        (Settings(http=HttpSettings(port=1)), "http.port"),
    ],
)
async def test_what_only_a_restart_changes_is_refused_by_its_key(wanted: Settings, key: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{key}: .*restart") as caught:
        check_reloadable(Settings(), wanted)
    assert "\n" not in str(caught.value)


async def test_what_workers_follow_alone_is_taken() -> None:
    check_reloadable(
        Settings(),
        Settings(
            diameter=DiameterSettings(watchdog_interval_s=6.0, origin_host="ocs9.lab.example"),
            charging=ChargingSettings(workers=8, supervision_time_s=60),
        ),
    )
    certificates = [
        Settings(diameter=DiameterSettings(tls_certificate_file=name, tls_key_file=name)) for name in "ab"
    ]
    check_reloadable(*certificates)


async def test_outcome_survives_the_channel() -> None:
    outcome = ReloadOutcome(("worker-0",), failed="x")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(outcome), type=ReloadOutcome) == outcome


async def test_hangup_signal_asks_for_a_reload_and_ends_nothing(nursery: trio.Nursery) -> None:
    asked = trio.Event()
    await nursery.start(partial(reload_on_signal, asked.set))
    os.kill(os.getpid(), signal.SIGHUP)
    await asked.wait()
    nursery.cancel_scope.cancel()


async def test_hangup_signal_is_told_and_ignored_but_while_somebody_reloads(nursery: trio.Nursery) -> None:
    asked = trio.Event()
    with capture_logs() as lines:
        await nursery.start(ignore_reload_signal)
        os.kill(os.getpid(), signal.SIGHUP)
        while not lines:
            await trio.lowlevel.checkpoint()
        async with trio.open_nursery() as reloading:
            await reloading.start(partial(reload_on_signal, asked.set))
            os.kill(os.getpid(), signal.SIGHUP)
            await asked.wait()
            reloading.cancel_scope.cancel()
        os.kill(os.getpid(), signal.SIGHUP)
        while len(lines) < 3:
            await trio.lowlevel.checkpoint()
    assert [line["event"] for line in lines] == ["reload_ignored", "reloading", "reload_ignored"]
    assert lines[0]["reason"] and lines[0]["remedy"]
    nursery.cancel_scope.cancel()


async def test_data_folder_named_by_a_relative_path_of_the_file_is_no_change(tmp_path, monkeypatch) -> None:
    """What `make up` does: no --data-dir, and a file that says `../data`."""
    config = tmp_path / "config" / "ocs.toml"
    config.parent.mkdir()
    config.write_text('[store]\ndata_dir = "../data"\n')
    monkeypatch.delenv("OCS_STORE__DATA_DIR", raising=False)
    options = argparse.Namespace(config=config, data_dir=None)
    settings, launch = cli._open(options)
    assert launch.data_dir == (tmp_path / "data").resolve()
    check_reloadable(settings, app._read_settings(launch))
