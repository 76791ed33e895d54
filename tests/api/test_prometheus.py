"""Metrics as Prometheus reads them."""

from ocs.api.prometheus import render_prometheus
from ocs.metrics import Counter, Gauge, Histogram, Registry, Snapshot


def lines(registry: Registry) -> list[str]:
    return render_prometheus(registry.snapshot()).decode().splitlines()


def test_counter_and_gauge_are_shown_with_help_type_and_labels():
    registry = Registry()
    Counter("ocs_answers_total", "Answers.", ("command", "result_code"), registry=registry).inc(
        "CC", 2001, by=7
    )
    Gauge("ocs_queue_requests", "Waiting.", registry=registry).set(3)
    assert lines(registry) == [
        "# HELP ocs_answers_total Answers.",
        "# TYPE ocs_answers_total counter",
        'ocs_answers_total{command="CC",result_code="2001"} 7.0',
        "# HELP ocs_queue_requests Waiting.",
        "# TYPE ocs_queue_requests gauge",
        "ocs_queue_requests 3.0",
    ]


def test_histogram_is_cumulated_and_a_value_on_a_bound_belongs_to_it():
    registry = Registry()
    histogram = Histogram("ocs_latency_seconds", "Latency.", (0.1, 1), registry=registry)
    for latency in (0.1, 0.5, 7):
        histogram.observe(latency)
    assert lines(registry)[2:] == [
        'ocs_latency_seconds_bucket{le="0.1"} 1.0',
        'ocs_latency_seconds_bucket{le="1.0"} 2.0',
        'ocs_latency_seconds_bucket{le="+Inf"} 3.0',
        "ocs_latency_seconds_count 3.0",
        "ocs_latency_seconds_sum 7.6",
    ]


def test_label_values_are_escaped():
    registry = Registry()
    Counter("ocs_x_total", "X.", ("peer",), registry=registry).inc('a"\n\\')
    assert 'ocs_x_total{peer="a\\"\\n\\\\"} 1.0' in lines(registry)


def test_nothing_counted_is_an_empty_text():
    assert render_prometheus(Snapshot()) == b""
