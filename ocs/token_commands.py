"""``ocs token``: who may do what over HTTP."""

import argparse
import json
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from ocs.api.tmf.resources import date_time
from ocs.api.tokens import Scope, Token, TokenError, TokenStore, make_token
from ocs.clock import SystemClock
from ocs.store_setup import open_store

_DAY_MS: Final = 86_400_000


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``token`` to the command line."""
    token = commands.add_parser("token", help="bearer tokens of the HTTP API").add_subparsers(
        required=True, metavar="ACTION"
    )
    create = token.add_parser("create", parents=[common], help="make a token; it is printed this once")
    create.add_argument("--name", required=True, help="whose it is, for log lines and `ocs token list`")
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        help=f"what it may do; may be repeated: {', '.join(Scope)}",
    )
    create.add_argument("--days", type=_days, default=0, help="how long it is good (default: until revoked)")
    create.set_defaults(run=_create)
    listing = token.add_parser("list", parents=[common], help="list tokens, without their secrets")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)
    revoke = token.add_parser("revoke", parents=[common], help="refuse a token from now on")
    revoke.add_argument("token_id", help="as `ocs token list` shows it")
    revoke.set_defaults(run=_revoke)


def _days(text: str) -> int:
    days = int(text)
    if days < 1:
        raise ValueError
    return days


_days.__name__ = "number of days"  # argparse says: invalid number of days value: '0'


def _store(options: argparse.Namespace) -> TokenStore:
    settings, launch = options.open(options)
    connection, _ = open_store(settings, launch.data_dir)
    return TokenStore(connection)


def _create(options: argparse.Namespace) -> None:
    now_ms = SystemClock().now_ms()
    expires_ms = now_ms + options.days * _DAY_MS if options.days else 0
    token, text = make_token(options.name, tuple(options.scope), now_ms=now_ms, expires_ms=expires_ms)
    _store(options).add(token)
    print(text)


def _list(options: argparse.Namespace) -> None:
    tokens = _store(options).all()
    if options.json:
        print(json.dumps([_as_json(token) for token in tokens], indent=2))
        return
    table = Table("id", "name", "scopes", "created", "expires", box=None)
    for token in tokens:
        expires = date_time(token.expires_ms) if token.expires_ms else "never"
        table.add_row(
            token.token_id, token.name, " ".join(token.scopes), date_time(token.created_ms), expires
        )
    Console(soft_wrap=True, markup=False, highlight=False, emoji=False).print(table)


def _as_json(token: Token) -> dict[str, Any]:
    return {
        "id": token.token_id,
        "name": token.name,
        "scopes": token.scopes,
        "created": date_time(token.created_ms),
        "expires": date_time(token.expires_ms) if token.expires_ms else None,
    }


def _revoke(options: argparse.Namespace) -> None:
    if not _store(options).revoke(options.token_id):
        raise TokenError(f"there is no token {options.token_id!r}: `ocs token list` shows what exists")
