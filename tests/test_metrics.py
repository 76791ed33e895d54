"""Metrics: what is counted, how processes become one picture."""

import pytest

from ocs.limits import METRIC_SERIES_MAX
from ocs.metrics import (
    Counter,
    Gauge,
    Histogram,
    MetricError,
    Registry,
    Snapshot,
    add_process_metrics,
    decode_snapshot,
    encode_snapshot,
    merge,
)


def worker(answers: int, queue: int, oldest: int, latencies: tuple[float, ...]) -> Registry:
    registry = Registry()
    Counter("ocs_answers_total", "Answers.", ("result_code",), registry=registry).inc(2001, by=answers)
    Gauge("ocs_queue_requests", "Waiting.", registry=registry).set(queue)
    Gauge("ocs_oldest_seconds", "Oldest.", merge="max", registry=registry).set(oldest)
    histogram = Histogram("ocs_latency_seconds", "Latency.", (0.1, 1), registry=registry)
    for latency in latencies:
        histogram.observe(latency)
    return registry


def values(*registries: Registry) -> dict[str, float]:
    """Each series of the merged picture by `name` or `name{label}`."""
    merged = merge(registry.snapshot() for registry in registries)
    return {
        family.name + (f"{{{','.join(sample.labels)}}}" if sample.labels else ""): sample.value
        for family in merged.families
        for sample in family.samples
    }


def test_workers_are_merged_counters_and_histograms_by_sum_and_gauges_as_declared():
    first, second = worker(3, 1, 5, (0.1, 0.5)), worker(4, 2, 3, (7,))
    found = values(first, second)
    assert found["ocs_answers_total{2001}"] == 7
    assert found["ocs_queue_requests"] == 3
    assert found["ocs_oldest_seconds"] == 5
    assert found["ocs_latency_seconds"] == pytest.approx(7.6)
    merged = merge((first.snapshot(), second.snapshot()))
    # A value on a bound belongs to it.
    assert merged.families[3].samples[0].counts == (1, 1, 1)


def test_series_that_only_one_worker_has_survive_the_merge():
    first, second = Registry(), Registry()
    counters = [Counter("ocs_x_total", "X.", ("peer",), registry=registry) for registry in (first, second)]
    counters[0].inc("a")
    counters[1].inc("b")
    Counter("ocs_y_total", "Y.", registry=second).inc()
    assert values(first, second) == {"ocs_x_total{a}": 1, "ocs_x_total{b}": 1, "ocs_y_total": 1}


def test_nothing_merges_to_nothing():
    assert merge(()) == Snapshot()


def test_snapshot_survives_the_way_between_processes():
    snapshot = worker(3, 1, 5, (0.5,)).snapshot()
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot


def test_snapshot_does_not_change_afterwards():
    registry = Registry()
    counter = Counter("ocs_x_total", "X.", registry=registry)
    before = registry.snapshot()
    counter.inc()
    assert before.families[0].samples[0].value == 0


def test_integer_and_text_of_one_label_value_are_one_series():
    registry = Registry()
    counter = Counter("ocs_x_total", "X.", ("code",), registry=registry)
    counter.inc(2001)
    counter.inc("2001")
    assert values(registry) == {"ocs_x_total{2001}": 2}


def test_label_fed_by_strangers_ends_in_other():
    registry = Registry()
    counter = Counter("ocs_x_total", "X.", ("peer",), registry=registry)
    gauge = Gauge("ocs_y", "Y.", ("peer",), registry=registry)
    for number in range(METRIC_SERIES_MAX + 50):
        counter.inc(f"p{number}")
        gauge.set(1, f"p{number}")
    found = values(registry)
    assert found["ocs_x_total{other}"] == 50
    assert found["ocs_y{other}"] == 1
    assert len(found) == 2 * (METRIC_SERIES_MAX + 1)


def test_gauge_moves_both_ways():
    registry = Registry()
    gauge = Gauge("ocs_x", "X.", ("peer",), registry=registry)
    gauge.add(3, "a")
    gauge.add(-1, "a")
    assert values(registry) == {"ocs_x{a}": 2}


def test_gauges_can_be_set_when_somebody_looks():
    registry = Registry()
    gauge = Gauge("ocs_x", "X.", registry=registry)
    registry.before_snapshot(lambda: gauge.set(7))
    assert values(registry) == {"ocs_x": 7}


def test_process_metrics_are_labelled_with_the_process():
    registry = Registry()
    add_process_metrics("worker-0", registry)
    found = values(registry)
    assert found["ocs_process_cpu_seconds{worker-0}"] > 0
    assert found["ocs_process_memory_max_octets{worker-0}"] > 1_000_000
    assert "ocs_process_start_time_seconds{worker-0}" in found


def test_wrong_use_is_an_error():
    registry = Registry()
    counter = Counter("ocs_x_total", "X.", ("peer",), registry=registry)
    with pytest.raises(MetricError, match="takes the labels"):
        counter.inc()
    with pytest.raises(MetricError, match="declared twice"):
        Gauge("ocs_x_total", "X.", registry=registry)
    with pytest.raises(MetricError, match="must rise"):
        Histogram("ocs_h_seconds", "H.", (1, 0.5), registry=registry)
    other = Registry()
    Counter("ocs_x_total", "X.", ("realm",), registry=other)
    with pytest.raises(MetricError, match="differs"):
        merge((registry.snapshot(), other.snapshot()))
