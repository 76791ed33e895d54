"""``ocs catalogue``: check a price book, compare two, publish one, and ask what an event would cost."""

import argparse
import json
import sys
import time
from datetime import datetime
from datetime import time as time_of_day
from functools import partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import trio

from ocs.balance.barrier import Barrier
from ocs.balance.client import BalanceClient
from ocs.balance.model import Subscriber
from ocs.balance.store_admin import StoreRefusedError
from ocs.balance.store_client import StoreClient
from ocs.catalogue_schedule import (
    Publication,
    Schedule,
    in_force,
    publish,
    read_catalogue,
    read_schedule,
)
from ocs.clock import SystemClock
from ocs.described_use import describe, quote
from ocs.described_use_options import add_use_options, described_use_of
from ocs.events import ChargeEvent
from ocs.launch import Launch
from ocs.limits import CATALOGUE_LOOK_INTERVAL_S
from ocs.peer_notices import (
    CATALOGUE_PUBLISHED,
    Acknowledgement,
    Notice,
    NoticesUnavailableError,
    PeerNotices,
    notice_opener,
)
from ocs.price_change import PriceChange
from ocs.rating import Catalogue, CatalogueError, Rate, load_catalogue
from ocs.rating.catalogue_check import Check, check_catalogue
from ocs.rating.catalogue_diff import difference
from ocs.rating.catalogue_warnings import foreign_network, warnings_of
from ocs.rating.places import Finding
from ocs.rating.schema import CatalogueSource
from ocs.reauthoriser import Told
from ocs.rerating import record_line, record_of, rerate, summary_of
from ocs.session_commands import PER_SECOND, demand_open_sessions, rate_a_second
from ocs.settings import Settings, resolve_path
from ocs.store_setup import open_client, open_store, store_address, store_url
from ocs.subscribers.operations import OperationError

EXIT_FINDINGS: Final = 1
_PUBLISHED: Final = "published"
# Workers that were told of a catalogue have read it by then: it takes milliseconds.
_READ_S: Final = 1.0


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``catalogue`` to the command line."""
    actions = commands.add_parser(
        "catalogue", help="check, compare and publish price books; ask what an event would cost"
    ).add_subparsers(required=True, metavar="ACTION")
    _add_reading(actions, common)
    _add_publishing(actions, common)
    _add_explain(
        actions.add_parser("explain", parents=[common], help="price an event and say how, without a store")
    )
    _add_rerating(actions, common)


_Actions = Any  # of argparse, which has no public name for it


def _add_reading(actions: _Actions, common: argparse.ArgumentParser) -> None:
    check = actions.add_parser(
        "check", parents=[common], help="tell everything that is wrong; status 0: usable, 1: errors"
    )
    _add_folder(check)
    check.add_argument("--json", action="store_true")
    check.set_defaults(run=_check)
    diff = actions.add_parser(
        "diff", parents=[common], help="tell what changed from one catalogue to another"
    )
    for name, which in (("before", "the one"), ("after", "the other")):
        diff.add_argument(
            name, help=f"{which}: a folder, a published version, or `{_PUBLISHED}`: the one in force"
        )
    diff.add_argument("--json", action="store_true")
    diff.set_defaults(run=_diff)


def _add_publishing(actions: _Actions, common: argparse.ArgumentParser) -> None:
    publishing = actions.add_parser(
        "publish", parents=[common], help="have all workers use a catalogue from a moment on"
    )
    _add_folder(publishing)
    publishing.add_argument(
        "--effective",
        default=None,
        metavar="TIME",
        help="such as 2027-01-01 or 2027-01-01T06:00, on the operator's clock, or now (default: the date `effective` in"
        " the catalogue)",
    )
    publishing.add_argument(
        "--reauthorise",
        action="store_true",
        help="have the gateways of open sessions whose price changed report and ask again (RAR), a few at a time",
    )
    publishing.add_argument(
        "--per-second",
        type=rate_a_second,
        default=PER_SECOND,
        help=f"with --reauthorise: no faster (default {PER_SECOND})",
    )
    publishing.add_argument("--json", action="store_true")
    publishing.set_defaults(run=_publish)
    listing = actions.add_parser(
        "list", parents=[common], help="list what was published, and what is in force"
    )
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)


def _add_rerating(actions: _Actions, common: argparse.ArgumentParser) -> None:
    recording = actions.add_parser(
        "record",
        parents=[common],
        help="write the charges that the store still has to a file, to be rated again",
    )
    recording.add_argument("file", type=Path, help="a new file of JSON lines")
    recording.set_defaults(run=_record)
    rerating = actions.add_parser(
        "rerate",
        parents=[common],
        help="what recorded events would have cost under another catalogue or offer",
    )
    rerating.add_argument("events", type=Path, help="recorded events, as `ocs catalogue record` writes them")
    _add_catalogue(rerating)
    rerating.add_argument(
        "--offer",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="rate subscribers of an offer as if they had another; may be repeated",
    )
    rerating.add_argument(
        "--details", action="store_true", help="each event with its old and new amount (JSON lines)"
    )
    rerating.set_defaults(run=_rerate)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, nargs="?", default=None, help="with *.toml files (default: [catalogue] path)"
    )


def _add_catalogue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--catalogue",
        type=Path,
        default=None,
        metavar="FOLDER",
        help="price book (default: [catalogue] path)",
    )


def _add_explain(parser: argparse.ArgumentParser) -> None:
    _add_catalogue(parser)
    add_use_options(parser)
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=_explain)


# --- Check and diff -----------------------------------------------------------------------------------------


def _folder(options: argparse.Namespace, named: Path | None) -> Path:
    if named is not None:
        return named
    settings, _ = _open(options)
    return resolve_path(settings, settings.catalogue.path)


def _open(options: argparse.Namespace) -> tuple[Settings, Launch]:
    return options.open(options)


def _checked(folder: Path) -> Check:
    """Read a folder and check it.

    Raises:
        CatalogueError: there is nothing to read.
    """
    try:
        files = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.toml"))}
    except UnicodeDecodeError as error:
        raise CatalogueError(str(folder), "", f"expected files in UTF-8: {error}") from None
    if not files:
        raise CatalogueError(str(folder), "", "expected a folder with *.toml files, found none")
    return check_catalogue(files)


def _check(options: argparse.Namespace) -> None:
    folder = _folder(options, options.folder)
    check = _checked(folder)
    findings: tuple[Finding, ...] = check.errors
    if check.catalogue is not None and check.source is not None:
        findings = warnings_of(check.catalogue, check.source, check.places)
    if options.json:
        found = [msgspec.structs.asdict(finding) for finding in findings]
        version = None if check.catalogue is None else check.catalogue.version
        _print_json({"usable": not check.errors, "version": version, "findings": found})
    else:
        for finding in findings:
            print(
                f"{'warning: ' if finding.is_warning else ''}{folder / str(finding) if finding.file else finding}"
            )
        print(_verdict(check, findings))
    if check.errors:
        sys.exit(EXIT_FINDINGS)


def _verdict(check: Check, findings: tuple[Finding, ...]) -> str:
    warnings = sum(finding.is_warning for finding in findings)
    told = f"{warnings} warning{'' if warnings == 1 else 's'}"
    if check.catalogue is None:
        count = len(check.errors)
        return f"NOT USABLE: {count} error{'' if count == 1 else 's'}"
    catalogue = check.catalogue
    prices = sum(len(offer.prices) for offer in check.source.offers) if check.source else 0
    return f"usable: {catalogue.version}, {len(catalogue.offers)} offers, {prices} prices; {told}"


def _diff(options: argparse.Namespace) -> None:
    changes = difference(_source(options, options.before), _source(options, options.after))
    if options.json:
        _print_json([msgspec.structs.asdict(change) for change in changes])
        return
    for change in changes:
        print(change)
    if not changes:
        print("no difference")


def _source(options: argparse.Namespace, name: str) -> CatalogueSource:
    """The tables of what is named: a folder, a published version, or what is in force."""
    folder = Path(name)
    if folder.is_dir():
        # As `ocs up` would read it: with its first mistake, which `check` tells with all others.
        content = load_catalogue(folder).to_bytes()
    else:
        settings, launch = _open(options)
        client, _ = open_store(settings, launch.data_dir)
        try:
            content = _published(client, name).to_bytes()
        finally:
            client.close()
    return msgspec.json.decode(content, type=CatalogueSource)


def _published(client: StoreClient, name: str) -> Catalogue:
    if name != _PUBLISHED:
        return read_catalogue(client, name)
    current = in_force(read_schedule(client), SystemClock().now_ms() // 1000)
    if current is None:
        raise OperationError("no catalogue is in force in this store: `ocs up` publishes one")
    return read_catalogue(client, current.version)


# --- Publish and list ---------------------------------------------------------------------------------------


def _publish(options: argparse.Namespace) -> None:
    folder = _folder(options, options.folder)
    check = _checked(folder)
    if check.catalogue is None:
        for finding in check.errors:
            print(folder / str(finding) if finding.file else finding)
        print(f"{_verdict(check, check.errors)}; nothing was published")
        sys.exit(EXIT_FINDINGS)
    catalogue = check.catalogue
    settings, launch = _open(options)
    now_s = SystemClock().now_ms() // 1000
    effective_s = _effective_s(options.effective, catalogue, now_s)
    if options.reauthorise and effective_s > now_s:
        raise OperationError(
            "--reauthorise goes with a catalogue that is in force at once: say --effective now"
        )
    client, _ = open_store(settings, launch.data_dir)
    try:
        publication = publish(
            client,
            catalogue,
            effective_s=effective_s,
            now_s=now_s,
            barrier=Barrier.from_settings(settings.store),
        )
    finally:
        client.close()
    told = _tell_workers(settings, launch)
    asked = Told(0, ())
    if options.reauthorise:
        # Who comes back finds the new prices: workers that were told read them now, the others by themselves.
        time.sleep(_READ_S if told else CATALOGUE_LOOK_INTERVAL_S)
        asked = _reauthorise(settings, launch, catalogue, options.per_second)
    if options.json:
        record = {**_publication_record(publication, None), "told": [one.member for one in told]}
        _print_json(record | {"reauthorised": asked.passed_on, "unreachable": asked.unreachable})
        return
    when = "now" if publication.effective_s <= now_s else _local(publication.effective_s, catalogue.time_zone)
    workers = (
        ", ".join(sorted(one.member for one in told))
        or "nobody (workers look by themselves every few seconds)"
    )
    print(f"published {publication.version}, in force from {when}; told {workers}")
    if options.reauthorise:
        sessions = f"{asked.passed_on} session{'' if asked.passed_on == 1 else 's'}"
        print(f"{sessions} with another price: gateway asked to re-authorise")
    for origin_host in asked.unreachable:
        print(f"{origin_host} was not told: no worker has a connection to it", file=sys.stderr)


def _reauthorise(settings: Settings, launch: Launch, catalogue: Catalogue, per_s: int) -> Told:
    """Ask the gateways of open sessions whose price another catalogue changes to come again."""
    client = open_client(settings, launch.data_dir)
    connection, _ = open_store(settings, launch.data_dir)
    change = PriceChange(
        catalogue,
        read=partial(read_catalogue, connection),
        find=client.subscriber,
        now_s=SystemClock().now_ms() // 1000,
    )
    try:
        return demand_open_sessions(settings, launch.data_dir, client, change.demands, per_s)
    except NoticesUnavailableError as error:
        raise OperationError(f"it is published, but gateways were not asked: {error}") from None
    finally:
        connection.close()


def _effective_s(written: str | None, catalogue: Catalogue, now_s: int) -> int:
    """The moment that was asked for; without one, the start of the catalogue's own date.

    Raises:
        OperationError: it is no time, or has passed.
    """
    if written == "now":
        return now_s
    zone = ZoneInfo(catalogue.time_zone)
    if written is None:
        return max(now_s, int(datetime.combine(catalogue.effective, time_of_day(), zone).timestamp()))
    moment = _moment(written, zone)
    if moment < now_s:
        raise OperationError(
            f"--effective {written} has passed: what was charged then stays charged; say now"
        )
    return moment


def _moment(written: str, zone: ZoneInfo) -> int:
    """An epoch second from a local time; one with an offset of its own is taken at its word."""
    try:
        when = datetime.fromisoformat(written)
    except ValueError:
        raise OperationError(
            f"expected a time such as 2027-01-01 or 2027-01-01T06:00, got {written!r}"
        ) from None
    return int((when if when.tzinfo else when.replace(tzinfo=zone)).timestamp())


def _tell_workers(settings: Settings, launch: Launch) -> tuple[Acknowledgement, ...]:
    """Have the workers look at once; those that do not hear it look by themselves."""
    address = store_address(settings, store_url(settings, launch.data_dir))
    notices = PeerNotices(notice_opener(address), "cli", {})
    try:
        told = trio.run(partial(_tell, notices))
    except NoticesUnavailableError:
        return ()
    return tuple(one for one in told if one.acted)


async def _tell(notices: PeerNotices) -> tuple[Acknowledgement, ...]:
    async with trio.open_nursery() as nursery:
        await nursery.start(notices.run)
        try:
            return await notices.publish(Notice(CATALOGUE_PUBLISHED))
        finally:
            nursery.cancel_scope.cancel()


def _list(options: argparse.Namespace) -> None:
    settings, launch = _open(options)
    client, _ = open_store(settings, launch.data_dir)
    try:
        schedule = read_schedule(client)
        zones = {entry.version: _time_zone(client, entry.version) for entry in schedule}
    finally:
        client.close()
    current = in_force(schedule, SystemClock().now_ms() // 1000)
    if options.json:
        _print_json([_publication_record(entry, current) for entry in schedule])
        return
    print(f"{'version':<22} {'in force from':<24} {'published':<24} state")
    for entry in schedule:
        zone = zones[entry.version]
        state = _state(entry, current, schedule)
        source = " (from a folder)" if entry.is_from_folder else ""
        times = f"{_local(entry.effective_s, zone):<24} {_local(entry.published_s, zone):<24}"
        print(f"{entry.version:<22} {times} {state}{source}")
    if not schedule:
        print("nothing was published yet: `ocs up` publishes its folder, `ocs catalogue publish` any")


def _time_zone(client: StoreClient, version: str) -> str:
    try:
        return read_catalogue(client, version).time_zone
    except CatalogueError:
        return "UTC"  # of a release that wrote it otherwise


def _state(entry: Publication, current: Publication | None, schedule: Schedule) -> str:
    if entry is current:
        return "in force"
    now_s = SystemClock().now_ms() // 1000
    if entry.effective_s > now_s:
        return "to come" if in_force(schedule, entry.effective_s) is entry else "replaced before it began"
    return "past"


def _publication_record(entry: Publication, current: Publication | None) -> dict[str, Any]:
    return {**msgspec.structs.asdict(entry), "in_force": entry is current}


def _local(epoch_s: int, time_zone: str) -> str:
    return datetime.fromtimestamp(epoch_s, ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M:%S %Z")


# --- Explain ------------------------------------------------------------------------------------------------


def _explain(options: argparse.Namespace) -> None:
    catalogue = load_catalogue(_folder(options, options.catalogue))
    zone = ZoneInfo(catalogue.time_zone)
    at_s = SystemClock().now_ms() // 1000 if options.at is None else _moment(options.at, zone)
    network = options.network
    if options.roaming and not network:
        network = foreign_network(msgspec.json.decode(catalogue.to_bytes(), type=CatalogueSource))
    described = described_use_of(options, at_s=at_s, serving_network=network)
    answer = quote(catalogue, described)
    if options.json:
        _print_json({**msgspec.to_builtins(answer), "use": describe(catalogue, described)})
        return
    print(f"{describe(catalogue, described)}; catalogue {catalogue.version}")
    for step in answer.steps:
        print(f"  {step}")
    print(answer.verdict)


# --- Re-rating ----------------------------------------------------------------------------------------------


def _record(options: argparse.Namespace) -> None:
    settings, launch = _open(options)
    store, _ = open_store(settings, launch.data_dir)
    client = open_client(settings, launch.data_dir)
    rates = _Rates(store)
    count = 0
    with options.file.open("xb") as file:
        for account_id in sorted(_account_ids(client)):
            known: dict[str, Subscriber | None] = {}
            for event in client.events(account_id):
                if event.subscriber_id not in known:
                    known[event.subscriber_id] = client.subscriber(account_id, event.subscriber_id)
                subscriber = known[event.subscriber_id]
                if subscriber is None:
                    continue  # it is gone, and with it what it had bought
                use = record_of(event, subscriber.offers, rates.of(event), subscriber.profile)
                if use is not None:
                    file.write(record_line(use))
                    count += 1
    print(f"{options.file}: {count} charges")


class _Rates:
    """The rates that charges were made by, of all published versions."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self._catalogues: dict[str, Catalogue | None] = {}

    def of(self, event: ChargeEvent) -> Rate | None:
        """The rate of a charge, None where its catalogue cannot be read any more."""
        version = event.catalogue_version
        if version and version not in self._catalogues:
            try:
                self._catalogues[version] = read_catalogue(self._store, version)
            except (CatalogueError, StoreRefusedError):
                self._catalogues[version] = None
        catalogue = self._catalogues.get(version)
        return None if catalogue is None else catalogue.rate_at_path(event.tariff_path)


def _account_ids(client: BalanceClient) -> set[str]:
    found: set[str] = set()
    cursor = 0
    while True:
        cursor, page = client.scan_accounts(cursor)
        found.update(account.account_id for account in page)
        if not cursor:
            return found


def _rerate(options: argparse.Namespace) -> None:
    catalogue = load_catalogue(_folder(options, options.catalogue))
    replaced: dict[str, str] = {}
    for pair in options.offer:
        old, equals, new = pair.partition("=")
        if not equals or catalogue.offer(new) is None:
            known = ", ".join(offer.offer_id for offer in catalogue.offers)
            raise OperationError(
                f"expected OLD=NEW with NEW an offer of the catalogue ({known}), got {pair!r}"
            )
        replaced[old] = new
    with options.events.open("rb") as lines:
        rerated = rerate(catalogue, lines, replaced)
    if options.details:
        sys.stdout.writelines(f"{line}\n" for line in rerated.lines())
    else:
        print("\n".join(summary_of(rerated)))


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, default=msgspec.to_builtins, indent=2)
    sys.stdout.write("\n")
