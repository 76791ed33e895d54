"""What operators read: one event per line, JSON for machines or coloured for people, on stderr.

Lines never hold secrets or message contents; ``[log] mask_identities`` hides who used the service. Log with the plain
calls (``log.warning(...)``): structlog's ``a...`` methods need asyncio.
"""

import logging
import re
import sys
from collections import OrderedDict
from collections.abc import Hashable, Mapping, MutableMapping
from typing import Any, Final, Literal, TextIO, cast
from urllib.parse import urlsplit, urlunsplit

import msgspec
import structlog

from ocs.clock import Clock
from ocs.limits import LOG_LIMITER_KEYS_MAX, LOG_REPEAT_INTERVAL_MS
from ocs.settings import LogSettings

Style = Literal["json", "console"]
EventDict = MutableMapping[str, Any]

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
# Fields that hold an identity without saying its kind.
IDENTITY_FIELDS: Final = frozenset(
    {"called_party", "calling_party", "identity", "identities", "imsi", "msisdn", "subscription_ids"}
)
SECRET_FIELDS: Final = frozenset(
    {"password", "passphrase", "secret", "token", "authorization", "private_key"}
)

_IDENTITY: Final = re.compile(r"\b(e164|imsi|sip|nai|private):([^\s,;'\"\])}]+)")
_encode_json: Final = msgspec.json.Encoder(enc_hook=str).encode


class _Stderr:
    """Whatever ``sys.stderr`` is when a line is written: it may have been replaced, and the old one closed."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def configure_logging(settings: LogSettings, *, style: Style = "json", stream: TextIO | None = None) -> None:
    """Set up structlog, and the standard library's logging of the packages we use, for this process.

    Args:
        settings: level and masking.
        style: ``json`` writes one object per line, ``console`` is for people.
        stream: where lines go; None is stderr.
    """
    out = cast("TextIO", _Stderr()) if stream is None else stream
    level = LEVELS[settings.level]
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
    ]
    if settings.mask_identities:
        processors.append(_mask_identities)
    if style == "json":
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_to_json)]
    else:
        # The pretty tracebacks show local variables: message contents, which no log may hold.
        plain = structlog.dev.plain_traceback
        processors.append(structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    # hypercorn, litestar and redis-py use the standard library: their warnings become lines of ours.
    logging.basicConfig(handlers=[_StructlogHandler()], level=max(level, logging.WARNING), force=True)


def get_logger(name: str, **context: Any) -> structlog.typing.FilteringBoundLogger:
    """Get a logger whose lines carry ``module=name`` and the given context.

    Loggers may be made at import: they take on the configuration of :func:`configure_logging` when first used.
    """
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger(module=name, **context))


class _StructlogHandler(logging.Handler):
    """Passes records of the standard library's logging on."""

    def emit(self, record: logging.LogRecord) -> None:
        # An ERROR with a traceback is our bug or a library's: the traceback belongs in the log, and nowhere else.
        log = get_logger(record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def _to_json(event: EventDict, **_dumps_arguments: Any) -> str:
    return _encode_json(event).decode()


def _hide_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    for field in SECRET_FIELDS & event.keys():
        event[field] = "***"
    return event


def _mask_identities(_logger: Any, _method: str, event: EventDict) -> EventDict:
    for field, value in event.items():
        event[field] = _masked(value, known=field in IDENTITY_FIELDS)
    return event


def _masked(value: Any, *, known: bool) -> Any:
    """Mask what is an identity by its field (``known``) or by its form, also inside lists and records."""
    if isinstance(value, str):
        return mask_identity(value) if known else _IDENTITY.sub(lambda found: mask_identity(found[0]), value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(part, known=known) for part in cast("list[Any]", value)]
    if isinstance(value, Mapping):
        mapping = cast("Mapping[Any, Any]", value)
        return {key: _masked(part, known=known or key in IDENTITY_FIELDS) for key, part in mapping.items()}
    return value


def mask_identity(identity: str) -> str:
    """Hide whom an identity names, and keep what tells two of them apart in a ticket.

    ``imsi:262011234567890`` becomes ``imsi:26201********90`` (the network stays), ``e164:491711234567`` becomes
    ``e164:491*******67``, ``sip:alice@ims.example`` becomes ``sip:a****@ims.example``.
    """
    kind, colon, value = identity.partition(":") if _IDENTITY.match(identity) else ("", "", identity)
    if "@" in value:
        user, _, domain = value.partition("@")
        return f"{kind}{colon}{_starred(user, keep_first=1, keep_last=0)}@{domain}"
    first = 5 if kind == "imsi" else 3
    return f"{kind}{colon}{_starred(value, keep_first=first, keep_last=2)}"


def _starred(text: str, *, keep_first: int, keep_last: int) -> str:
    hidden = len(text) - keep_first - keep_last
    if hidden < 4:  # too short to show any part of it
        return "*" * len(text)
    return text[:keep_first] + "*" * hidden + text[len(text) - keep_last :]


def mask_url(url: str) -> str:
    """Take the password out of an address such as ``redis://user:secret@host/0``."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:***@{host}"))


class RepeatLimiter:
    """Lets one line per key through in an interval and counts what it held back.

    A peer that is refused a thousand times a second is worth a line in ten seconds::

        swallowed = limiter.admit(("unknown_peer", origin_host))
        if swallowed is not None:
            log.warning("peer refused", origin_host=origin_host, swallowed=swallowed)
    """

    def __init__(
        self, clock: Clock, *, interval_ms: int = LOG_REPEAT_INTERVAL_MS, keys_max: int = LOG_LIMITER_KEYS_MAX
    ) -> None:
        self._clock = clock
        self._interval_ms = interval_ms
        self._keys_max = keys_max
        # Key -> (when its last line was let through, lines held back since); the least recently let through first.
        self._seen: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()

    def admit(self, key: Hashable) -> int | None:
        """Ask whether a line may be written now.

        Returns:
            None when it is held back; else how many lines of this key were held back since its last one.
        """
        now_ms = self._clock.now_ms()
        shown_ms, swallowed = self._seen.get(key, (None, 0))
        # A wall clock set back must not silence a key: only time that has passed forwards holds a line back.
        if shown_ms is not None and 0 <= now_ms - shown_ms < self._interval_ms:
            self._seen[key] = (shown_ms, swallowed + 1)
            return None
        self._seen[key] = (now_ms, 0)
        self._seen.move_to_end(key)
        if len(self._seen) > self._keys_max:
            self._seen.popitem(last=False)
        return swallowed
