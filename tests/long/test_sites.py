"""Two sites: a power failure at one, with everything that runs there, at full load.

A replica at the other site has every write before it is answered (``durability = "replicated"``); three Sentinels, one
of them elsewhere, promote it. Both sites run a whole ``ocs up``; gateways move over when nobody answers.
"""

import os
import signal
import time

import pytest

from tests.endtoend.lab import System, is_alive, running, wait_until
from tests.support.load import Load
from tests.support.store_servers import SentinelGroup, sentinel_group

pytestmark = [pytest.mark.long, pytest.mark.alone]


def cut_power(site: System, group: SentinelGroup) -> None:
    """SIGKILL to everything at the first site: store, workers, parent."""
    victims = sorted(site.workers())
    group.primary.kill()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    site.kill()
    wait_until(lambda: not any(map(is_alive, victims)), "the end of the first site")


@pytest.mark.parametrize(
    ("replicas", "on_degraded"),
    [(1, "fsync"), (2, "refuse")],
    ids=["one replica, and the promoted one serves alone: fsync", "two replicas, and one is left: refuse"],
)
def test_power_failure_at_one_site_loses_and_doubles_nothing(
    tmp_path, capsys: pytest.CaptureFixture[str], replicas: int, on_degraded: str
) -> None:
    with sentinel_group(tmp_path / "stores", replicas=replicas) as group:
        settings = {
            "OCS_STORE__URL": group.url,
            "OCS_STORE__DURABILITY": "replicated",
            "OCS_STORE__REPLICAS": str(replicas),
            "OCS_STORE__ON_DEGRADED": on_degraded,
            "OCS_CHARGING__WORKERS": "2",
        }
        with (
            running(tmp_path / "first", **settings) as first,
            running(tmp_path / "second", OCS_DIAMETER__ORIGIN_HOST="ocs2.lab.example", **settings) as second,
            Load(first, standby=second) as load,
        ):
            load.advance()
            dead = group.primary
            began_s = time.monotonic()
            cut_power(first, group)
            if on_degraded == "refuse":  # with a replica less than it promised the site waits for one
                group.wait_for_another(dead)
                dead.start()
            answered = load.generator.progress()
            wait_until(lambda: load.generator.progress() > answered + 100, "the second site serves")
            served_again_s = time.monotonic() - began_s
            load.advance()
            load.settle_books(at=second)
            load.verify(at=second)
            told = {line["event"] for line in second.log_lines()}
            assert "store_degraded" in told if on_degraded == "fsync" else True
        with capsys.disabled():
            print(
                f"\ntwo sites, {replicas} replicas, {on_degraded}: served again after {served_again_s:.1f} s"
            )
