"""Which server owns which slots now: connections to the primaries, and who stands in whose place.

One server, a primary that Sentinels choose, or a cluster: the topology is asked for now and then, and at once when
something suggests that it has changed.
"""

from collections.abc import Callable
from typing import Final

import structlog
import trio

from ocs import limits
from ocs.balance.barrier import Barrier
from ocs.balance.redis_commands import SLOTS
from ocs.balance.redis_node import RedisNode
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store_history import ReplicationState, StoreHistory, Verdict
from ocs.balance.topology import Topology
from ocs.metrics import Counter
from ocs.store_url import Endpoint

log = structlog.get_logger()

_PROMOTIONS: Final = Counter(
    "ocs_store_promotions_total",
    "Servers met that took another one's place: yes when they lack what was acknowledged, no when not.",
    ("lossy",),
)


class SlotOwners:
    """The primaries of a store, each with its connections, by the slots that they own.

    Args:
        slots: of the partitions, in their order.
        barrier: what replicas must have before a commit is told; None asks nothing of them.
        on_met: told of each connection that was made.
        on_promotion: told that another server has taken the place of one we knew: the history that it writes, and
            whether it lacks something that was acknowledged.
        on_topology: told that servers came, went or changed places.

    Attributes:
        only: the owner of all slots, when that is one; saves the look.
        by_slot: the owner of each slot; None while nobody is.
    """

    def __init__(
        self,
        servers: StoreServers,
        *,
        slots: tuple[int, ...],
        barrier: Barrier | None,
        on_met: Callable[[], None],
        on_promotion: Callable[[str, bool], None] | None,
        on_topology: Callable[[], None] | None,
    ) -> None:
        self._servers = servers
        self._slots = slots
        self._barrier = barrier
        self._on_met = on_met
        self._on_promotion = on_promotion
        self._on_topology = on_topology
        self._history = StoreHistory()
        self._topology: Topology | None = None
        self._nodes: dict[Endpoint, RedisNode] = {}
        self.by_slot: list[RedisNode | None] = [None] * SLOTS
        self.only: RedisNode | None = None
        # Whether redirections, or servers that may be gone, make another answer about the topology worth a look.
        self._is_ahead = False
        self._missing: set[Endpoint] = set()
        self._is_unknown = False
        self._doubted = trio.Event()
        self._first_connection = trio.Event()
        self._nursery: trio.Nursery | None = None

    @property
    def is_running(self) -> bool:
        """Whether connections are kept."""
        return self._nursery is not None

    @property
    def is_connected(self) -> bool:
        """Whether every primary that owns something can be called."""
        return all(node is not None and node.is_connected for node in self._all())

    @property
    def trouble(self) -> str:
        """Why requests for some accounts are refused now; empty while none are."""
        owners = self._all()
        if None in owners:
            lost = sum(self.owner(slot) is None for slot in self._slots)
            if lost or not self._nodes:
                return f"no server of the store holds {lost} of {len(self._slots)} partitions now"
        troubles = sorted(node.trouble for node in owners if node is not None and node.trouble)
        return "; ".join(troubles)

    def owner(self, slot: int) -> RedisNode | None:
        """Who owns a slot now."""
        return self.only or self.by_slot[slot]

    def nodes(self) -> tuple[RedisNode, ...]:
        """Every primary that we know."""
        return tuple(self._nodes.values())

    def _all(self) -> set[RedisNode | None]:
        return {self.only} if self.only is not None else set(self.by_slot)

    # --- For who is redirected --------------------------------------------------------------------------

    def doubt(self) -> None:
        """Have the topology looked at soon: somebody else may be primary."""
        self._doubted.set()

    def node_at(self, endpoint: Endpoint) -> RedisNode:
        """The server at an address; one that is new to us is connected to."""
        node = self._nodes.get(endpoint)
        if node is None:
            node = RedisNode(endpoint, self._servers, self, self._history, self._barrier)
            self._nodes[endpoint] = node
            assert self._nursery is not None  # noqa: S101 - servers are met while we run
            self._nursery.start_soon(node.run)
        return node

    def moved(self, slot: int, node: RedisNode) -> None:
        """A server says that another one owns a slot: believed until the topology says more."""
        self._doubted.set()
        self.by_slot[slot] = node
        self.only = None
        self._is_ahead = True

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep connections for ever; report started when the first one stands and each was tried.

        Cancellation closes them; calls in flight then answer ``Unavailable``.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await self._find(patient=True)
                if not self._servers.is_fixed:
                    nursery.start_soon(self._follow_topology)
                await self._first_connection.wait()
                for node in tuple(self._nodes.values()):
                    await node.attempted.wait()
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self.only, self.by_slot = None, [None] * SLOTS
            self._nodes.clear()

    async def _follow_topology(self) -> None:
        """Look who is primary now and then, and at once when something suggests a change."""
        while True:
            with trio.move_on_after(limits.STORE_TOPOLOGY_INTERVAL_S):
                await self._doubted.wait()
            self._doubted = trio.Event()
            await self._find(patient=False)
            await trio.sleep(limits.STORE_TOPOLOGY_PAUSE_S)

    async def _find(self, *, patient: bool) -> None:
        """Ask for the topology and go by it; when patient, until somebody answers."""
        while True:
            try:
                self._apply(await self._servers.find_topology(self._topology))
            except OSError as error:
                if not self._is_unknown:
                    self._is_unknown = True
                    log.warning(
                        "store_topology_unknown",
                        reason=str(error),
                        remedy="start the store or correct [store] url",
                    )
            else:
                if self._is_unknown:
                    self._is_unknown = False
                    log.info("store_topology_known")
                return
            if not patient:
                self._doubted.set()
                return
            await trio.sleep(limits.STORE_TOPOLOGY_PAUSE_S)

    def _apply(self, topology: Topology) -> None:
        """Connect to primaries that are new, let go of those that are none any more."""
        if topology == self._topology and not self._is_ahead:
            return
        is_change = self._topology is not None and topology != self._topology
        self._topology, self._is_ahead = topology, False
        if is_change and self._on_topology is not None:
            self._on_topology()
        gone = self._nodes.keys() - {primary.endpoint for primary in topology.primaries}
        owners: list[RedisNode | None] = [None] * SLOTS
        for primary in topology.primaries:
            node = self.node_at(primary.endpoint)
            for first, last in primary.slots:
                owners[first : last + 1] = [node] * (last - first + 1)
        self._inherit(owners, gone)
        self.by_slot = owners
        self.only = owners[0] if len(set(owners)) == 1 else None
        for node in self._nodes.values():
            node.set_partitions(
                tuple(number for number, slot in enumerate(self._slots) if owners[slot] is node)
            )
        # A server may be missing because who was asked did not know it yet: the second time counts.
        for endpoint in gone & self._missing:
            self._nodes.pop(endpoint).retire()
        self._missing = gone - self._missing
        if self._missing:
            self._is_ahead = True
            self._doubted.set()

    def _inherit(self, owners: list[RedisNode | None], gone: set[Endpoint]) -> None:
        """Remember in whose place a server stands; slots that moved between primaries are nobody's place."""
        for before, now in zip(self.by_slot, owners, strict=True):
            if before is not None and now is not None and before.endpoint in gone:
                now.predecessor = before.endpoint

    # --- For the servers' nodes -------------------------------------------------------------------------

    def node_suspected(self) -> None:
        """Something went wrong with a server: somebody else may be primary."""
        self._doubted.set()

    def node_met(self, node: RedisNode, state: ReplicationState) -> None:
        """A connection stands: is that the server that we knew?"""
        self._first_connection.set()
        self._on_met()
        verdict = self._history.judge(node.endpoint, state, node.predecessor)
        if verdict is Verdict.PROMOTED:
            log.warning("store_promoted", server=str(node.endpoint))
        elif verdict in {Verdict.PROMOTED_LOSSY, Verdict.UNRELATED}:
            log.error(
                "store_lost_writes",
                server=str(node.endpoint),
                reason=f"{verdict.value} ({self._history.lost_octets(state)} octets of its predecessor's writes)",
                remedy="run `ocs verify`; bar replicas that [store] replicas does not cover from promotion",
            )
        else:
            return
        is_lossy = verdict is not Verdict.PROMOTED
        _PROMOTIONS.inc("yes" if is_lossy else "no")
        if self._on_promotion is not None:
            self._on_promotion(state.history, is_lossy)
