"""What an operator says of a use on the command line, for `ocs catalogue explain`."""

import argparse

from ocs.described_use import DescribedUse


def add_use_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be said of an event; names and values are those of the catalogue's conditions."""
    add = parser.add_argument
    add("--offer", action="append", required=True, default=[], help="of the subscriber; may be repeated")
    add("--service", required=True, choices=("data", "voice", "sms", "mms"))
    add("--units", default="1", help="such as '10 MiB', 75, '2 min' or 3 messages (default 1)")
    add(
        "--at",
        default=None,
        metavar="TIME",
        help="on the operator's clock, such as 2026-12-24T20:00 (default: now)",
    )
    add("--to", default="", metavar="NUMBER", help="the called number")
    add("--from", default="", dest="calling", metavar="NUMBER", help="the calling number")
    add(
        "--network",
        default="",
        metavar="MCCMNC",
        help="the serving network (default: the gateway does not say)",
    )
    add("--roaming", action="store_true", help="in some network abroad, where --network does not name one")
    add("--apn", default="", help="access point name")
    add("--rat", default="", help="radio access technology, such as nr or eutran")
    add("--role", choices=("originating", "terminating", "forwarding"), default=None)
    add("--recipients", type=int, default=1, help="of a message")
    add("--media", action="append", default=[], help="audio, video, message; may be repeated")
    add("--message-type", default="")
    add("--application", default="", help="as traffic was recognised")
    add("--rating-group", type=int, default=None)
    add("--service-identifier", type=int, action="append", default=[])
    add("--friend", action="append", default=[], metavar="NUMBER", help="a friends & family number")
    add("--group", action="append", default=[], help="a closed user group that the subscriber belongs to")
    add("--currency", default="", help="of the account (default: the catalogue's)")
    add("--balance", default="1000.00", help="money before the event (default 1000.00)")


def described_use_of(options: argparse.Namespace, *, at_s: int, serving_network: str) -> DescribedUse:
    """The use that was described.

    Args:
        at_s: when, in epoch seconds. serving_network: MCC and MNC; empty where the gateway does not say.
    """
    return DescribedUse(
        offers=tuple(options.offer),
        service=options.service,
        units=options.units,
        at_s=at_s,
        called_party=options.to,
        calling_party=options.calling,
        serving_network=serving_network,
        access_point_name=options.apn,
        rat_type=options.rat,
        role=options.role or "",
        recipients=options.recipients,
        media=tuple(options.media),
        message_type=options.message_type,
        application=options.application,
        rating_group=options.rating_group,
        service_identifiers=tuple(options.service_identifier),
        favourites=tuple(options.friend),
        groups=tuple(options.group),
        currency=options.currency,
        balance=options.balance,
    )
