"""Shared by all tests: repeatable Hypothesis runs, and no silent skips where skips are forbidden.

``OCS_HYPOTHESIS=explore`` searches with fresh randomness and more examples. ``OCS_FORBID_SKIPS=1`` (set by
``.ci/run``, where every outside program is installed) turns a skipped test into a failed one.
"""

import functools
import os
from collections.abc import Generator
from inspect import iscoroutinefunction

import pytest
import trio
from hypothesis import HealthCheck, settings

SKIPS_FORBIDDEN = os.environ.get("OCS_FORBID_SKIPS", "") not in ("", "0")

# A loaded machine makes any deadline a timing test, and a slow first example says nothing about the code.
settings.register_profile(
    "ci", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False, max_examples=1_000)
settings.load_profile(os.environ.get("OCS_HYPOTHESIS", "ci"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bound tests that ask for it; a fixture could not, for it runs in a task of its own."""
    for item in items:
        marker = item.get_closest_marker("bounded")
        if marker is not None and isinstance(item, pytest.Function) and iscoroutinefunction(item.obj):
            item.obj = _bounded(item.obj, *marker.args)


def _bounded(test, seconds: float):
    @functools.wraps(test)
    async def run(**fixtures) -> None:
        with trio.fail_after(seconds):
            await test(**fixtures)

    return run


def _forbid(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that repeats its reason; an expected failure (xfail) is not a skip."""
    if not SKIPS_FORBIDDEN or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"skipped although OCS_FORBID_SKIPS is set: {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid(report)
    return report
