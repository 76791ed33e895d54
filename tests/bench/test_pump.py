"""Quantiles of latencies; what the loop does with answers is shown in test_load.py."""

from array import array

from bench.pump import quantiles_ms


def test_quantiles_of_nothing_are_zero() -> None:
    assert quantiles_ms(array("Q")) == {"p50": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0}


def test_quantiles_are_in_milliseconds() -> None:
    latencies = array("Q", [millisecond * 1_000_000 for millisecond in range(1000, 0, -1)])
    assert quantiles_ms(latencies) == {"p50": 501.0, "p99": 991.0, "p999": 1000.0, "max": 1000.0}


def test_one_latency_is_every_quantile() -> None:
    assert set(quantiles_ms(array("Q", [2_000_000])).values()) == {2.0}
