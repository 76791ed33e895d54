"""Counters, gauges and histograms that cost one dictionary operation on the hot path.

Each process counts for itself; the HTTP process asks every worker for a :class:`Snapshot`, merges them and shows them
to Prometheus (:mod:`ocs.api.prometheus`). Metrics are made once, as constants of the module that counts::

    ANSWERS = Counter("ocs_diameter_answers_total", "Answers sent.", ("command", "result_code"))
    ANSWERS.inc("CC", "2001")

Names carry their unit last (``_seconds``, ``_octets``), counters end in ``_total``.
"""

import bisect
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, Protocol

import msgspec

from ocs.limits import METRIC_SERIES_MAX

LabelValue = str | int
Kind = Literal["counter", "gauge", "histogram"]
Merge = Literal["sum", "max"]

# From a cache hit without a barrier to a gateway's Tx timer (RFC 8506 section 13: 10 s).
LATENCY_BUCKETS_S: Final = (
    0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
# Powers of two, for what is counted in pieces: requests in a group, commands in a pipeline.
SIZE_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class MetricError(ValueError):
    """A metric was declared twice, got the wrong labels, or differs between the processes that count it."""


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One labelled series of a metric.

    Attributes:
        value: the count or the level; for a histogram the sum of all observations.
        counts: histograms only: observations per bucket, not cumulated, the last is above every bound.
    """

    labels: tuple[str, ...]
    value: float | int
    counts: tuple[int, ...] = ()


class Family(msgspec.Struct, frozen=True, array_like=True):
    """All series of one metric, with what is needed to merge and show them."""

    name: str
    description: str
    kind: Kind
    label_names: tuple[str, ...]
    merge: Merge
    bounds: tuple[float, ...]
    samples: tuple[Sample, ...]

    def is_declared_like(self, other: "Family") -> bool:
        """Whether both count the same thing in the same way, so that they can be merged."""
        return (
            self.kind == other.kind
            and self.label_names == other.label_names
            and self.merge == other.merge
            and self.bounds == other.bounds
        )


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """Everything that one process, or several merged, have counted so far."""

    families: tuple[Family, ...] = ()


class _Metric(Protocol):
    """What a registry holds."""

    @property
    def name(self) -> str: ...

    def family(self) -> Family: ...


class Registry:
    """The metrics of one process."""

    def __init__(self) -> None:
        self._metrics: dict[str, _Metric] = {}
        self._refreshers: list[Callable[[], None]] = []

    def register(self, metric: _Metric) -> None:
        """Take a metric in; metrics call it themselves.

        Raises:
            MetricError: another metric has that name.
        """
        if metric.name in self._metrics:
            raise MetricError(f"metric {metric.name} is declared twice")
        self._metrics[metric.name] = metric

    def before_snapshot(self, refresh: Callable[[], None]) -> None:
        """Have gauges that cost too much to follow (queue lengths, memory) set when somebody looks."""
        self._refreshers.append(refresh)

    def snapshot(self) -> Snapshot:
        """Copy what has been counted; encodable with msgspec."""
        for refresh in self._refreshers:
            refresh()
        return Snapshot(tuple(metric.family() for metric in self._metrics.values()))


REGISTRY: Final = Registry()


class _Labelled:
    """Series of numbers by label values; the part that counters and gauges share."""

    kind: Kind

    def __init__(
        self, name: str, description: str, label_names: Sequence[str], merge: Merge, registry: Registry
    ) -> None:
        self.name: Final = name
        self._description = description
        self._label_names = tuple(label_names)
        self._merge: Merge = merge
        self._values: dict[tuple[LabelValue, ...], float | int] = {} if label_names else {(): 0}
        registry.register(self)

    def _admit(self, label_values: tuple[LabelValue, ...]) -> tuple[LabelValue, ...]:
        """Start a series; past the bound everything new is counted under ``other``."""
        if len(label_values) != len(self._label_names):
            raise MetricError(f"metric {self.name} takes the labels {self._label_names}, got {label_values}")
        if len(self._values) >= METRIC_SERIES_MAX:
            label_values = ("other",) * len(label_values)
        self._values.setdefault(label_values, 0)
        return label_values

    def family(self) -> Family:
        """Copy all series."""
        by_labels: dict[tuple[str, ...], float | int] = {}
        for label_values, value in self._values.items():
            labels = tuple(map(str, label_values))  # 2001 and "2001" are one series to the reader
            by_labels[labels] = by_labels.get(labels, 0) + value
        samples = tuple(Sample(labels, value) for labels, value in by_labels.items())
        return Family(self.name, self._description, self.kind, self._label_names, self._merge, (), samples)


class Counter(_Labelled):
    """A number that only grows."""

    kind: Kind = "counter"

    def __init__(
        self,
        name: str,
        description: str,
        label_names: Sequence[str] = (),
        *,
        registry: Registry = REGISTRY,
    ) -> None:
        super().__init__(name, description, label_names, "sum", registry)

    def inc(self, *label_values: LabelValue, by: float = 1) -> None:
        """Count ``by`` more under these label values, given in the order of the label names."""
        try:
            self._values[label_values] += by
        except KeyError:
            self._values[self._admit(label_values)] += by


class Gauge(_Labelled):
    """A level that rises and falls.

    Args:
        merge: how the workers' levels become one: their sum, or the highest.
    """

    kind: Kind = "gauge"

    def __init__(
        self,
        name: str,
        description: str,
        label_names: Sequence[str] = (),
        *,
        merge: Merge = "sum",
        registry: Registry = REGISTRY,
    ) -> None:
        super().__init__(name, description, label_names, merge, registry)

    def set(self, value: float, *label_values: LabelValue) -> None:
        """Set the level."""
        if label_values not in self._values:
            label_values = self._admit(label_values)
        self._values[label_values] = value

    def remove(self, *label_values: LabelValue) -> None:
        """Forget a series of what is there no more; unknown ones too."""
        self._values.pop(label_values, None)

    def add(self, by: float, *label_values: LabelValue) -> None:
        """Move the level by a signed amount."""
        try:
            self._values[label_values] += by
        except KeyError:
            self._values[self._admit(label_values)] += by


class Histogram:
    """A distribution: how many observations fell under each bound."""

    kind: Kind = "histogram"

    def __init__(
        self,
        name: str,
        description: str,
        bounds: Sequence[float] = LATENCY_BUCKETS_S,
        *,
        registry: Registry = REGISTRY,
    ) -> None:
        self.name: Final = name
        self._description = description
        self._bounds = tuple(bounds)
        if not self._bounds or list(self._bounds) != sorted(set(self._bounds)):
            raise MetricError(f"metric {name}: bounds must rise: {self._bounds}")
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum: float = 0
        registry.register(self)

    def observe(self, value: float, *, count: int = 1) -> None:
        """Count one observation, or several that are equal, in the unit that the name ends with."""
        self._counts[bisect.bisect_left(self._bounds, value)] += count
        self._sum += value * count

    def family(self) -> Family:
        """Copy the distribution."""
        sample = Sample((), self._sum, tuple(self._counts))
        return Family(self.name, self._description, self.kind, (), "sum", self._bounds, (sample,))


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Make one picture of several processes: counters and histograms add up, gauges as they declare.

    Raises:
        MetricError: two processes declare one name in different ways.
    """
    families: dict[str, list[Family]] = {}
    for snapshot in snapshots:
        for family in snapshot.families:
            alike = families.setdefault(family.name, [])
            if alike and not alike[0].is_declared_like(family):
                raise MetricError(f"metric {family.name} differs between the processes that count it")
            alike.append(family)
    return Snapshot(tuple(_merge_families(alike) for alike in families.values()))


def _merge_families(families: Sequence[Family]) -> Family:
    merged: dict[tuple[str, ...], Sample] = {}
    for family in families:
        for sample in family.samples:
            earlier = merged.get(sample.labels)
            merged[sample.labels] = (
                sample if earlier is None else _merge_samples(earlier, sample, how=family.merge)
            )
    return msgspec.structs.replace(families[0], samples=tuple(merged.values()))


def _merge_samples(first: Sample, second: Sample, *, how: Merge) -> Sample:
    value = max(first.value, second.value) if how == "max" else first.value + second.value
    counts = tuple(a + b for a, b in zip(first.counts, second.counts, strict=True))
    return Sample(first.labels, value, counts)


def add_process_metrics(process: str, registry: Registry = REGISTRY) -> None:
    """Show CPU time, peak memory and start time of this process.

    Args:
        process: its name among its siblings: ``worker-0``, ``http``.
        registry: where they are shown.
    """
    cpu = Gauge("ocs_process_cpu_seconds", "CPU time used, user and system.", ("process",), registry=registry)
    memory = Gauge("ocs_process_memory_max_octets", "Peak resident memory.", ("process",), registry=registry)
    started = Gauge(
        "ocs_process_start_time_seconds", "Start, in seconds since 1970 UTC.", ("process",), registry=registry
    )
    started.set(time.time(), process)

    def refresh() -> None:
        cpu.set(time.process_time(), process)
        memory.set(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, process)

    registry.before_snapshot(refresh)


encode_snapshot: Final = msgspec.msgpack.Encoder().encode
decode_snapshot: Final = msgspec.msgpack.Decoder(Snapshot).decode
