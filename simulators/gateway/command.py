"""``ocs-sim gateway``: options, set-up and summary of the gateway simulator."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from simulators.gateway.behaviour import Habits, plots
from simulators.gateway.model import Subscriber
from simulators.gateway.node import GatewayNode, NotConnectedError
from simulators.gateway.run import GatewayRun, RunSettings
from simulators.gateway.summary import Summary, describe, expectations, hints
from simulators.reports import write_json, write_junit

_DIGITS_MAX: Final = 15


class SetupError(ValueError):
    """The options do not describe a run; the message says which and why."""


class GatewayCommand:
    """The gateway simulator as a subcommand."""

    name = "gateway"
    summary = "subscribers with data, voice and SMS behaviour over Diameter Gy/Ro"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1", help="the server's address (IPv4 or IPv6) or name")
        parser.add_argument("--port", type=int, default=3868, help="its Diameter port (TCP)")
        parser.add_argument("--realm", default="lab.example", help="its Origin-Realm: our Destination-Realm")
        parser.add_argument("--origin-host", default="gateway.sim.example", help="our Origin-Host")
        parser.add_argument(
            "--origin-realm", default="", help="our Origin-Realm (default: --origin-host after its first dot)"
        )
        parser.add_argument("--subscribers", type=int, default=20, help="how many, from --msisdn-from up")
        parser.add_argument("--msisdn-from", default="491710000001", help="E.164 digits of the first one")
        parser.add_argument(
            "--imsi-from", default="", help="IMSI of the first one; none are sent when left out"
        )
        parser.add_argument(
            "--subscribers-file",
            type=Path,
            help="lines of MSISDN and optionally IMSI, in place of --msisdn-from",
        )
        parser.add_argument(
            "--duration", type=float, help="seconds until subscribers leave (default: 10 without --count)"
        )
        parser.add_argument("--count", type=int, help="requests after which subscribers leave")
        parser.add_argument("--rate", type=float, help="requests per second at most")
        parser.add_argument("--time-scale", type=float, default=60.0, help="simulated seconds in a real one")
        parser.add_argument(
            "--lost", type=float, default=0.02, help="share of answers treated as lost (0 to 1)"
        )
        parser.add_argument("--timeout", type=float, default=5.0, help="seconds to wait for an answer")
        parser.add_argument(
            "--seed",
            type=int,
            default=1,
            help="the same seed is the same behaviour; timing decides how answers interleave",
        )
        parser.add_argument(
            "--rating-groups", default="1,2,3,8,9", help="Rating-Groups of data sessions, separated by commas"
        )
        parser.add_argument(
            "--json", type=Path, help="write summary and the gateway's own books to this file"
        )
        parser.add_argument("--junit", type=Path, help="write expectations as JUnit XML to this file")

    def run(self, options: argparse.Namespace) -> int:
        """Play, print the summary, write what was asked for."""
        # What goes wrong on the wire shows as a failed expectation; the package's log would say it again.
        logging.getLogger("diameter").setLevel(logging.CRITICAL)
        try:
            subscribers = chosen_subscribers(options)
            settings, habits = run_settings(options), chosen_habits(options)
            summary = _play(options, subscribers, settings, habits)
        except (SetupError, NotConnectedError, OSError) as error:
            sys.stderr.write(f"ocs-sim gateway: {error}\n")
            return 2
        sys.stdout.write(describe(summary))
        if options.json:
            write_json(options.json, summary)
        if options.junit:
            write_junit(
                options.junit,
                suite="ocs-sim gateway",
                elapsed_s=summary.elapsed_s,
                expectations=summary.expectations,
            )
        return 0 if all(expectation.met for expectation in summary.expectations) else 1


def chosen_subscribers(options: argparse.Namespace) -> list[Subscriber]:
    """Subscribers from the file, or counted up from the first MSISDN.

    Raises:
        SetupError: a number is not one, or there are none.
        OSError: the file cannot be read.
    """
    if options.subscribers_file is not None:
        text = options.subscribers_file.read_text(encoding="utf-8")
        lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        found = [Subscriber(words[0], words[1] if len(words) > 1 else "") for words in lines]
    else:
        first, first_imsi = options.msisdn_from, options.imsi_from
        if not _is_number(first) or (first_imsi and not _is_number(first_imsi)):
            raise SetupError("--msisdn-from and --imsi-from are at most 15 digits")
        found = [
            Subscriber(
                str(int(first) + position),
                str(int(first_imsi) + position).zfill(len(first_imsi)) if first_imsi else "",
            )
            for position in range(options.subscribers)
        ]
    if not found:
        raise SetupError("no subscribers")
    for subscriber in found:
        if not _is_number(subscriber.msisdn) or (subscriber.imsi and not _is_number(subscriber.imsi)):
            raise SetupError(f"{subscriber.msisdn} {subscriber.imsi}: MSISDN and IMSI are at most 15 digits")
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX


def run_settings(options: argparse.Namespace) -> RunSettings:
    """The run that the options describe.

    Raises:
        SetupError: an option is out of its range.
    """
    positive = {"--time-scale": options.time_scale, "--timeout": options.timeout, "--rate": options.rate}
    positive |= {"--duration": options.duration, "--count": options.count}
    for name, value in positive.items():
        if value is not None and value <= 0:
            raise SetupError(f"{name} must be more than 0, not {value:g}")
    if not 0 <= options.lost <= 1:
        raise SetupError(f"--lost must be between 0 and 1, not {options.lost:g}")
    unbounded = options.duration is None and options.count is None
    return RunSettings(
        duration_s=10.0 if unbounded else options.duration,
        count=options.count,
        time_scale=options.time_scale,
        rate_per_s=options.rate,
        answer_timeout_s=options.timeout,
        lost_share=options.lost,
        seed=options.seed,
    )


def chosen_habits(options: argparse.Namespace) -> Habits:
    """What subscribers do.

    Raises:
        SetupError: rating groups are not numbers.
    """
    try:
        groups = tuple(int(word) for word in options.rating_groups.split(","))
    except ValueError:
        raise SetupError(
            f"--rating-groups must be numbers and commas, not {options.rating_groups!r}"
        ) from None
    return Habits(data_rating_groups=groups)


def _play(
    options: argparse.Namespace, subscribers: Sequence[Subscriber], settings: RunSettings, habits: Habits
) -> Summary:
    realm = options.origin_realm or options.origin_host.partition(".")[2] or options.origin_host
    with GatewayNode(
        host=options.host,
        port=options.port,
        origin_host=options.origin_host,
        origin_realm=realm,
        destination_realm=options.realm,
    ) as node:
        node.wait_until_ready()
        # RFC 6733 section 8.8: unique for ever, also when the same seed runs again.
        prefix = f"{options.origin_host};{int(time.time())};{os.getpid()}"
        run = GatewayRun(
            node, plots(subscribers, habits, seed=settings.seed), settings, session_prefix=prefix
        )
        report = run.run()
    return Summary(
        simulator="gateway",
        seed=settings.seed,
        subscribers=len(subscribers),
        requests=report.requests,
        sendings=report.sendings,
        elapsed_s=report.elapsed_s,
        latency_mean_ms=report.latency_mean_s * 1e3 if report.latency_mean_s is not None else None,
        latency_max_ms=report.latency_max_s * 1e3 if report.timed else None,
        results=dict(sorted(report.results.items())),
        hints=hints(report, run.tally, realm=options.realm),
        expectations=expectations(report, run.tally),
        sessions=list(run.tally.sessions.values()),
    )
