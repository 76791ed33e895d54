"""Bearer tokens: who may do what over HTTP. The store keeps their hashes; a token is shown once, when it is made.

A token is ``ocs_ID_SECRET``. The secret has 256 bits from the system's generator, so that a plain SHA-256 of it can be
kept: there is nothing to guess that salt or slowness would protect. They are read from the store for every request, so
a token that is revoked is refused by every process at once.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from ocs.balance import keys
from ocs.limits import TOKENS_MAX

_NAME: Final = re.compile(r"[A-Za-z0-9._@ -]{1,64}")
_TOKEN: Final = re.compile(r"ocs_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a token lets its bearer do."""

    OPERATION_READ = "operation:read"  # health in detail, metrics, peers
    BALANCE_READ = "balance:read"  # accounts, buckets, sessions, history
    BALANCE_TOPUP = "balance:topup"  # money in: top-ups, vouchers, payments
    BALANCE_ADJUST = "balance:adjust"  # adjustments, transfers, reservations
    VOUCHER_WRITE = "voucher:write"  # make, activate and block vouchers
    ACCOUNT_WRITE = "account:write"  # accounts, subscribers, their offers and limits
    SESSION_WRITE = "session:write"  # re-authorise live sessions
    CATALOGUE_READ = "catalogue:read"  # which offers and prices are in force
    HUB_WRITE = "hub:write"  # register listeners for events
    ALARM_READ = "alarm:read"  # the alarm list, its live stream, listeners for alarms
    ALARM_OPERATE = "alarm:operate"  # acknowledge, assign, comment, shelve, close, clear; report alarms
    INVENTORY_READ = "inventory:read"  # services, resources, orders; listeners for them
    INVENTORY_WRITE = "inventory:write"  # records of resources, and of services that are not in the network
    SERVICE_ORDER = "service:order"  # make, change and delete services in the network


class TokenError(ValueError):
    """A token cannot be made; ``str()`` says why."""


class Token(msgspec.Struct, frozen=True, array_like=True):
    """What the store keeps of a token.

    Attributes:
        token_id: its public part. name: whose it is, for people and log lines.
        digest: SHA-256 of the secret.
        created_ms, expires_ms: epoch milliseconds; 0 is never.
    """

    token_id: str
    name: str
    digest: bytes
    scopes: tuple[str, ...]
    created_ms: int
    expires_ms: int = 0


_decode_token: Final = msgspec.msgpack.Decoder(Token).decode


def make_token(name: str, scopes: tuple[str, ...], *, now_ms: int, expires_ms: int = 0) -> tuple[Token, str]:
    """Make a token; returns what is kept of it, and the text that is shown once.

    Raises:
        TokenError: a malformed name, no scope, or an unknown one.
    """
    if _NAME.fullmatch(name) is None:
        raise TokenError(f"{name!r} is not a name: 1 to 64 letters, digits, spaces and . _ @ -")
    known = tuple(str(scope) for scope in Scope)
    if not scopes or not set(scopes) <= set(known):
        raise TokenError(f"a scope is one of {', '.join(known)}")
    token_id = base64.b32encode(secrets.token_bytes(5)).decode().lower()
    secret = secrets.token_urlsafe(32)
    scopes = tuple(scope for scope in known if scope in scopes)
    return Token(token_id, name, _digest(secret), scopes, now_ms, expires_ms), f"ocs_{token_id}_{secret}"


class TokenStore:
    """Tokens of a store; blocking.

    Args:
        connection: a redis-py client that answers in bytes.
    """

    def __init__(self, connection: Any) -> None:
        self._redis = connection

    def add(self, token: Token) -> None:
        """Keep a token.

        Raises:
            TokenError: there are as many as there may be.
        """
        if self._redis.hlen(keys.TOKENS) >= TOKENS_MAX:
            raise TokenError(f"there are {TOKENS_MAX} tokens: revoke one first")
        self._redis.hset(keys.TOKENS, token.token_id, msgspec.msgpack.encode(token))

    def all(self) -> list[Token]:
        """Every token, by name."""
        tokens = [_decode_token(stored) for stored in self._redis.hvals(keys.TOKENS)]
        return sorted(tokens, key=lambda token: (token.name, token.token_id))

    def revoke(self, token_id: str) -> bool:
        """Forget a token; False when there is none."""
        return bool(self._redis.hdel(keys.TOKENS, token_id))

    def some(self, token_ids: Sequence[str]) -> dict[str, Token]:
        """Those of these ids that there are, read in one go."""
        stored = self._redis.hmget(keys.TOKENS, list(token_ids))
        return {
            token_id: _decode_token(value)
            for token_id, value in zip(token_ids, stored, strict=True)
            if value is not None
        }


def split_token(text: str) -> tuple[str, str] | None:
    """Id and secret of what a bearer shows; None when it is none of our tokens, which no store need be asked for."""
    match = _TOKEN.fullmatch(text)
    return None if match is None else (match[1], match[2])


def is_good(token: Token, secret: str, *, now_ms: int) -> bool:
    """Whether a secret is a token's and the token is not over; any secret takes the same time."""
    return hmac.compare_digest(token.digest, _digest(secret)) and not 0 < token.expires_ms <= now_ms


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
