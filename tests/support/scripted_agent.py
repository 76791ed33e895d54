"""An SNMP agent of version 2c that answers what a test wants, sense or nonsense; pysnmp writes its messages."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api

_PROTOCOL: Any = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]

Integer = _PROTOCOL.Integer
OctetString = _PROTOCOL.OctetString
ObjectIdentifier = _PROTOCOL.ObjectIdentifier
TimeTicks = _PROTOCOL.TimeTicks
END_OF_MIB_VIEW = _PROTOCOL.EndOfMibView()
NO_SUCH_OBJECT = _PROTOCOL.NoSuchObject()

# Names and values, or an error-status; octets are sent as they are, None is no answer.
Said = Sequence[tuple[str, Any]] | int | bytes | None
TOO_BIG = 1  # RFC 3416 section 3


class Question:
    """What is asked: names, and of how many rows."""

    def __init__(self, pdu: Any) -> None:
        self.is_bulk = pdu.isSameTypeWith(_PROTOCOL.GetBulkRequestPDU())
        api_of = _PROTOCOL.apiBulkPDU if self.is_bulk else _PROTOCOL.apiPDU
        self.names = [".".join(map(str, tuple(name))) for name, _ in api_of.get_varbinds(pdu)]
        self.repetitions = int(api_of.get_max_repetitions(pdu)) if self.is_bulk else 1


Script = Callable[[Question], Said]


@asynccontextmanager
async def scripted_agent(script: Script, *, late_s: float = 0) -> AsyncGenerator[int]:
    """An agent on a free port that follows a script."""
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as socket:
        await socket.bind(("127.0.0.1", 0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_serve, socket, script, late_s)
            yield socket.getsockname()[1]
            nursery.cancel_scope.cancel()


async def _serve(socket: trio.socket.SocketType, script: Script, late_s: float) -> None:
    while True:
        octets, address = await socket.recvfrom(65_536)
        answer = _answer(octets, script)
        if answer is not None:
            await trio.sleep(late_s)
            await socket.sendto(answer, address)


def _answer(octets: bytes, script: Script) -> bytes | None:
    message, _ = decoder.decode(octets, asn1Spec=_PROTOCOL.Message())
    pdu = _PROTOCOL.apiMessage.get_pdu(message)
    said = script(Question(pdu))
    if said is None or isinstance(said, bytes):
        return said
    response = _PROTOCOL.apiMessage.get_response(message)
    if isinstance(said, int):
        _PROTOCOL.apiPDU.set_error_status(_PROTOCOL.apiMessage.get_pdu(response), said)
        return encoder.encode(response)
    values = [(_PROTOCOL.ObjectIdentifier(name), value) for name, value in said]
    _PROTOCOL.apiPDU.set_varbinds(_PROTOCOL.apiMessage.get_pdu(response), values)
    return encoder.encode(response)


def table(objects: dict[str, Any]) -> Script:
    """A well-behaved agent that has these objects."""
    ordered = sorted(objects, key=_arcs)

    def following(name: str, count: int) -> list[tuple[str, Any]]:
        after = [one for one in ordered if _arcs(one) > _arcs(name)][:count]
        return [(one, objects[one]) for one in after] or [(name, END_OF_MIB_VIEW)]

    def script(question: Question) -> Said:
        if question.is_bulk:
            return following(question.names[0], question.repetitions)
        return [(name, objects.get(name, NO_SUCH_OBJECT)) for name in question.names]

    return script


def _arcs(name: str) -> tuple[int, ...]:
    return tuple(map(int, name.split(".")))
