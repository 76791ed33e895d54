"""Asking an SNMP agent: single values and whole tables, by pysnmp under trio.

Each conversation has an engine of its own. What one agent says about engines, clocks or keys can therefore never spoil
what we believe of another one, and all of it is forgotten afterwards.
"""

import asyncio
import warnings
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol

import trio
from pyasn1.error import PyAsn1Error
from pyasn1.type.univ import Null

from ocs.asyncio_bridge import call_asyncio
from ocs.faults.notification import Syntax, Varbind
from ocs.faults.resync.agent import Agent, Secrets
from ocs.limits import (
    SNMP_POLL_REPETITIONS,
    SNMP_POLL_RETRIES,
    SNMP_POLL_TIMEOUT_S,
    SNMP_WALK_OCTETS_MAX,
    SNMP_WALK_VALUES_MAX,
)

with warnings.catch_warnings():
    # It imports names of pysmi that pysmi wants to be called otherwise.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pysnmp.entity.rfc3413 import cmdgen as untyped_cmdgen
    from pysnmp.error import PySnmpError
    from pysnmp.hlapi.v3arch import asyncio as untyped_hlapi
    from pysnmp.hlapi.v3arch.asyncio import lcd as untyped_lcd
    from pysnmp.proto import errind
    from pysnmp.proto.rfc1902 import ObjectName

# Half annotated.
cmdgen: Any = untyped_cmdgen
hlapi: Any = untyped_hlapi
lcd: Any = untyped_lcd

_EXCEPTIONS: Final = frozenset({Syntax.NO_SUCH_OBJECT, Syntax.NO_SUCH_INSTANCE, Syntax.END_OF_MIB_VIEW})
_AUTHENTICATIONS: Final[dict[str, Any]] = {
    "none": hlapi.USM_AUTH_NONE,
    "md5": hlapi.USM_AUTH_HMAC96_MD5,
    "sha1": hlapi.USM_AUTH_HMAC96_SHA,
    "sha224": hlapi.USM_AUTH_HMAC128_SHA224,
    "sha256": hlapi.USM_AUTH_HMAC192_SHA256,
    "sha384": hlapi.USM_AUTH_HMAC256_SHA384,
    "sha512": hlapi.USM_AUTH_HMAC384_SHA512,
}
# AES-192 and AES-256 with the key extension that net-snmp uses too.
_PRIVACIES: Final[dict[str, Any]] = {
    "none": hlapi.USM_PRIV_NONE,
    "des": hlapi.USM_PRIV_CBC56_DES,
    "aes128": hlapi.USM_PRIV_CFB128_AES,
    "aes192": hlapi.USM_PRIV_CFB192_AES_BLUMENTHAL,
    "aes256": hlapi.USM_PRIV_CFB256_AES_BLUMENTHAL,
}
# pysnmp gives up by itself before that; not if what it could not read confused it.
_QUESTION_TIMEOUT_S: Final = SNMP_POLL_TIMEOUT_S * (SNMP_POLL_RETRIES + 2)
_TOO_BIG: Final = 1  # RFC 3416 section 3: error-status


class PollError(Exception):
    """An agent did not say what was asked; ``str()`` is one line, the same one for the same trouble."""


class Poll(Protocol):
    """A conversation with an agent."""

    async def get(self, *names: str) -> dict[str, Varbind]:
        """Single values by their object identifiers; what the agent does not have is missing.

        Raises:
            PollError: no answer, or none that makes sense.
        """
        ...

    async def walk(self, top: str) -> list[Varbind]:
        """Everything below an object identifier, in its order; empty when the agent has nothing there.

        Raises:
            PollError: no answer, or none that makes sense; a table that does not end is cut off so.
        """
        ...


@asynccontextmanager
async def polling(agent: Agent) -> AsyncGenerator[Poll]:
    """A conversation with an agent, for the length of the block; inside :func:`~ocs.asyncio_bridge.asyncio_loop`.

    Raises:
        PollError: its address cannot be used.
    """
    # Half a tenth of a second of building tables: not between two traps.
    engine = await trio.to_thread.run_sync(hlapi.SnmpEngine)
    try:
        yield await _conversation(engine, agent)
    finally:
        engine.close_dispatcher()


async def _conversation(engine: Any, agent: Agent) -> Poll:
    kind = hlapi.Udp6TransportTarget if ":" in agent.host else hlapi.UdpTransportTarget
    create = partial(kind.create, timeout=SNMP_POLL_TIMEOUT_S, retries=SNMP_POLL_RETRIES)
    try:
        return _PysnmpPoll(engine, agent, await call_asyncio(create, (agent.host, agent.port)))
    except (PySnmpError, OSError) as error:
        raise PollError(f"{agent.host} cannot be asked: {error}") from None


def credentials(secrets: Secrets) -> Any:
    """What pysnmp takes to speak as somebody."""
    if not secrets.user:
        return hlapi.CommunityData(secrets.community, mpModel=1)
    return hlapi.UsmUserData(
        secrets.user,
        secrets.authentication_password or None,
        secrets.privacy_password or None,
        authProtocol=_AUTHENTICATIONS[secrets.authentication],
        privProtocol=_PRIVACIES[secrets.privacy],
    )


class _PysnmpPoll:
    """A :class:`Poll` over pysnmp's generators of requests; its higher levels would look names up in MIBs."""

    def __init__(self, engine: Any, agent: Agent, target: Any) -> None:
        self._engine = engine
        self._target_name, _ = lcd.CommandGeneratorLcdConfigurator().configure(
            engine, credentials(agent.secrets), target, b""
        )
        self._get = cmdgen.GetCommandGenerator().send_varbinds
        self._get_bulk = cmdgen.BulkCommandGenerator().send_varbinds

    async def get(self, *names: str) -> dict[str, Varbind]:
        """Single values by their object identifiers; what the agent does not have is missing."""
        found = await self._ask(partial(self._get, self._engine, self._target_name, None, b""), names)
        return {one.name: one for one in found if one.syntax not in _EXCEPTIONS and one.name in names}

    async def walk(self, top: str) -> list[Varbind]:
        """Everything below an object identifier, in its order."""
        found: list[Varbind] = []
        octets = 0
        last, last_arcs, below = top, _arcs(top), f"{top}."
        repetitions = SNMP_POLL_REPETITIONS
        while True:
            send = partial(self._get_bulk, self._engine, self._target_name, None, b"", 0, repetitions)
            try:
                answer = await self._ask(send, (last,))
            except _TooBigError:
                if repetitions == 1:
                    raise
                repetitions //= 2
                continue
            for one in answer:
                if one.syntax == Syntax.END_OF_MIB_VIEW:
                    return found
                arcs = _arcs(one.name)
                # RFC 3416 section 4.2.3: always the next one. An agent that goes round in circles would have us follow.
                if arcs <= last_arcs:
                    raise PollError(f"its answers below {top} do not increase")
                if not one.name.startswith(below):
                    return found
                last, last_arcs = one.name, arcs
                octets += len(one.value) if isinstance(one.value, bytes | str) else 8
                if len(found) >= SNMP_WALK_VALUES_MAX or octets > SNMP_WALK_OCTETS_MAX:
                    raise PollError(f"there is more below {top} than is taken")
                found.append(one)

    async def _ask(self, send: Callable[..., Any], names: Sequence[str]) -> list[Varbind]:
        """One question, repeated until it is answered or given up."""
        asked = [(ObjectName(name), Null("")) for name in names]
        try:
            with trio.fail_after(_QUESTION_TIMEOUT_S):
                failure, status, found = await call_asyncio(_answer, partial(send, asked))
        except trio.TooSlowError:
            raise PollError("it does not answer") from None
        except (PySnmpError, PyAsn1Error, OSError) as error:
            raise PollError(f"it cannot be asked: {type(error).__name__}") from None
        if failure:
            raise PollError("it does not answer" if _is_silence(failure) else f"no usable answer: {failure}")
        if status == _TOO_BIG:
            raise _TooBigError("it has no room for an answer")
        if status:
            raise PollError(f"it answered with error-status {status}")
        if not found:
            raise PollError("an empty answer")
        try:
            return [_varbind(name, value) for name, value in found]
        except (PyAsn1Error, AttributeError, TypeError, ValueError, LookupError):
            # A value of another kind than SNMP has.
            raise PollError("an answer that cannot be read") from None


class _TooBigError(PollError):
    """Less is to be asked for in one question."""


async def _answer(send: Callable[..., Any]) -> tuple[Any, int, Sequence[tuple[Any, Any]]]:
    """What comes back: why nothing does, the error-status, the values."""
    came: asyncio.Future[tuple[Any, int, Sequence[tuple[Any, Any]]]] = (
        asyncio.get_running_loop().create_future()
    )

    def take(*said: Any) -> None:
        _engine, _handle, failure, status, _index, found, _context = said
        if not came.done():
            came.set_result((failure, int(status or 0), found))

    send(take)
    return await came


def _is_silence(failure: Any) -> bool:
    return isinstance(failure, errind.RequestTimedOut)


def _arcs(name: str) -> tuple[int, ...]:
    return tuple(map(int, name.split(".")))


def _varbind(name: Any, value: Any) -> Varbind:
    """What pysnmp read, as everything else here has it."""
    tag = value.tagSet.superTags[-1]
    syntax = int(tag.tagClass) | int(tag.tagFormat) | int(tag.tagId)
    dotted = ".".join(map(str, tuple(name)))
    match syntax:
        case Syntax.INTEGER | Syntax.COUNTER32 | Syntax.GAUGE32 | Syntax.TIME_TICKS | Syntax.COUNTER64:
            return Varbind(dotted, syntax, int(value))
        case Syntax.OBJECT_IDENTIFIER:
            return Varbind(dotted, syntax, ".".join(map(str, tuple(value))))
        case Syntax.OCTET_STRING | Syntax.IP_ADDRESS | Syntax.OPAQUE:
            return Varbind(dotted, syntax, bytes(value))
        case _:
            return Varbind(dotted, syntax, None)
