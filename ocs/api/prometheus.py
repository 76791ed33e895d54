"""Metrics as Prometheus text; prometheus_client knows the exposition's escaping, and only this process loads it."""

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from ocs.metrics import Family, Snapshot

# HTTP adds the charset, which is UTF-8.
PROMETHEUS_CONTENT_TYPE: Final = "text/plain; version=0.0.4"


def render_prometheus(snapshot: Snapshot) -> bytes:
    """Write a snapshot in Prometheus' text exposition format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_SnapshotCollector(snapshot))
    return generate_latest(registry)


class _SnapshotCollector:
    """Shows a snapshot to prometheus_client, which knows the exposition's escaping."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        for family in self._snapshot.families:
            yield _prometheus_family(family)

    def describe(self) -> tuple[()]:
        return ()


def _prometheus_family(family: Family) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    if family.kind == "histogram":
        shown = HistogramMetricFamily(family.name, family.description, labels=family.label_names)
        for sample in family.samples:
            shown.add_metric(sample.labels, _cumulated(family.bounds, sample.counts), sum_value=sample.value)
        return shown
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    shown = kind(family.name, family.description, labels=family.label_names)
    for sample in family.samples:
        shown.add_metric(sample.labels, sample.value)
    return shown


def _cumulated(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Turn counts per bucket into the ``le`` form, where each bucket holds all below it too."""
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, map(float, bounds)), "+Inf"], counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets
