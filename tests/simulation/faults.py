"""What goes wrong with workers, connections, clocks and stores, and what mends it again."""

from collections.abc import Callable, Sequence

from tests.simulation.operators import Operators
from tests.simulation.replicated_store import StoreConnection
from tests.simulation.scene import Scene
from tests.simulation.sites import Site
from tests.simulation.worker import Worker

CLOCK_OFF_MS_MAX = 900_000


class Faults:
    """One at a time.

    Args:
        connections: all that there are.
    """

    def __init__(
        self,
        scene: Scene,
        workers: Sequence[Worker],
        operators: Operators,
        connections: Callable[[], list[StoreConnection]],
    ) -> None:
        self._random = scene.random
        self._sites = scene.sites
        self._note = scene.note
        self._workers = workers
        self._operators = operators
        self._connections = connections

    def replicate(self) -> None:
        if self._sites.replicas:
            replica = self._random.choice(self._sites.replicas)
            if self._random.random() < 0.7:
                self._sites.replicate(replica, self._random.choice((1, 3, None)))
            if self._random.random() < 0.7:
                self._sites.acknowledge(replica)

    def break_connection(self) -> None:
        busy = [connection for connection in self._connections() if connection.unanswered]
        connection = self._random.choice(busy or self._connections())
        self._note("connection breaks with", connection.unanswered, "calls")
        connection.lose()

    def carry_out_late(self) -> None:
        self._random.choice(self._connections()).carry_out_late()

    def kill_worker(self) -> None:
        worker = self._random.choice(self._workers)
        self._note("worker killed:", worker.name)
        worker.kill()

    def lose_store(self) -> None:
        """A worker cannot reach the store, for as long as others do their steps."""
        away = [worker for worker in self._workers if worker.connection.is_down]
        if not away and self._random.random() < 0.7:
            return
        worker = self._random.choice(away) if away else self._random.choice(self._workers)
        connection = worker.connection
        if connection.is_down:
            connection.lead_to(self._sites.primary)
            connection.is_down = False
        else:
            connection.is_down = True
            connection.lose()
        self._note("store", "away" if connection.is_down else "back", "for", worker.name)

    def set_clock(self) -> None:
        """Somebody sets a clock, a worker's or a store's."""
        if self._random.random() < 0.7:
            worker = self._random.choice(self._workers)
            worker.clock.off_ms = self._random.choice((0, 2000, -2000, 60_000, -60_000, CLOCK_OFF_MS_MAX))
            self._note("clock of worker", worker.name, "is off by", worker.clock.off_ms)
        else:
            site = self._random.choice(self._sites.all)
            site.clock.skew_ms = self._random.randint(-3000, 3000)
            self._note("clock of site", site.name, "is off by", site.clock.skew_ms)

    def crash_store(self) -> None:
        site = self._random.choice(self._sites.all)
        if site.is_up and all(other.is_up for other in self._sites.all):
            self._note("store crashes:", site.name)
            self._sites.crash(site)
            self._operators.unsettle_moves()
            for connection in self._connections():
                if connection.site is site:
                    connection.lose()

    def restart_store(self) -> None:
        for site in self._sites.all:
            if not site.is_up:
                self._note("store back:", site.name)
                self._sites.restart(site)

    def cut_link(self) -> None:
        linked = [site for site in self._sites.replicas if site.is_linked]
        if linked:
            replica = self._random.choice(linked)
            self._note("link cut to", replica.name)
            replica.is_linked = False

    def mend_link(self) -> None:
        for replica in self._sites.replicas:
            replica.is_linked = True

    def promote(self) -> None:
        """A replica is promoted; the old primary may be dead, or go on and know nothing of it."""
        primary = self._sites.primary
        candidates = [site for site in self._sites.promotable if site.is_up]
        if not candidates or (primary.is_up and self._random.random() < 0.3):
            return
        site = self._random.choice(candidates)
        self._note("promoted:", site.name, "with", len(site.log), "of", len(primary.log))
        self._sites.promote(site)
        self._operators.unsettle_moves()

    def hear_of_promotion(self) -> None:
        """Somebody who does not know yet hears who the primary is: a client, or a site."""
        primary = self._sites.primary
        connections = [one for one in self._connections() if one.site is not primary]
        if connections and self._random.random() < 0.7:
            self._random.choice(connections).lead_to(primary)
            return
        sites = [site for site in self._sites.all if site is not primary and site.follows is not primary]
        if sites:
            self._demote(self._random.choice(sites))

    def _demote(self, site: Site) -> None:
        self._note("follows the primary:", site.name)
        for connection in self._connections():
            if connection.site is site:
                connection.lead_to(self._sites.primary)
        self._sites.demote(site)
