"""Metrics: what is counted, how processes become one picture, how Prometheus reads it."""

import pytest

from ocs.limits import METRIC_SERIES_MAX
from ocs.metrics import (
    Counter,
    Gauge,
    Histogram,
    MetricError,
    Registry,
    add_process_metrics,
    decode_snapshot,
    encode_snapshot,
    merge,
    render_prometheus,
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


def lines(*registries: Registry) -> list[str]:
    return render_prometheus(merge(r.snapshot() for r in registries)).decode().splitlines()


def test_workers_are_merged_counters_and_histograms_by_sum_and_gauges_as_declared():
    text = lines(worker(3, 1, 5, (0.1, 0.5)), worker(4, 2, 3, (7,)))
    assert 'ocs_answers_total{result_code="2001"} 7.0' in text
    assert "ocs_queue_requests 3.0" in text
    assert "ocs_oldest_seconds 5.0" in text
    assert 'ocs_latency_seconds_bucket{le="0.1"} 1.0' in text
    assert 'ocs_latency_seconds_bucket{le="1.0"} 2.0' in text
    assert 'ocs_latency_seconds_bucket{le="+Inf"} 3.0' in text
    assert "ocs_latency_seconds_count 3.0" in text
    assert "ocs_latency_seconds_sum 7.6" in text
    assert "# TYPE ocs_answers_total counter" in text
    assert "# HELP ocs_latency_seconds Latency." in text


def test_series_that_only_one_worker_has_survive_the_merge():
    first, second = Registry(), Registry()
    counters = [Counter("ocs_x_total", "X.", ("peer",), registry=registry) for registry in (first, second)]
    counters[0].inc("a")
    counters[1].inc("b")
    Counter("ocs_y_total", "Y.", registry=second).inc()
    assert {'ocs_x_total{peer="a"} 1.0', 'ocs_x_total{peer="b"} 1.0', "ocs_y_total 1.0"} <= set(
        lines(first, second)
    )


def test_nothing_merges_to_nothing():
    assert render_prometheus(merge(())) == b""


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
    assert 'ocs_x_total{code="2001"} 2.0' in lines(registry)


def test_label_values_are_escaped():
    registry = Registry()
    Counter("ocs_x_total", "X.", ("peer",), registry=registry).inc('a"\n\\')
    assert 'ocs_x_total{peer="a\\"\\n\\\\"} 1.0' in lines(registry)


def test_label_fed_by_strangers_ends_in_other():
    registry = Registry()
    counter = Counter("ocs_x_total", "X.", ("peer",), registry=registry)
    gauge = Gauge("ocs_y", "Y.", ("peer",), registry=registry)
    for number in range(METRIC_SERIES_MAX + 50):
        counter.inc(f"p{number}")
        gauge.set(1, f"p{number}")
    text = lines(registry)
    assert 'ocs_x_total{peer="other"} 50.0' in text
    assert len([line for line in text if line.startswith("ocs_x_total{")]) == METRIC_SERIES_MAX + 1
    assert 'ocs_y{peer="other"} 1.0' in text


def test_gauge_moves_both_ways():
    registry = Registry()
    gauge = Gauge("ocs_x", "X.", ("peer",), registry=registry)
    gauge.add(3, "a")
    gauge.add(-1, "a")
    assert 'ocs_x{peer="a"} 2.0' in lines(registry)


def test_gauges_can_be_set_when_somebody_looks():
    registry = Registry()
    gauge = Gauge("ocs_x", "X.", registry=registry)
    registry.before_snapshot(lambda: gauge.set(7))
    assert "ocs_x 7.0" in lines(registry)


def test_process_metrics_are_labelled_with_the_process():
    registry = Registry()
    add_process_metrics("worker-0", registry)
    assert [
        line for line in lines(registry) if line.startswith('ocs_process_cpu_seconds{process="worker-0"}')
    ]


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
