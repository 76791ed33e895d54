"""Notices to a manager above us by SNMP: traps or informs of v2c, informs of v3; by pysnmp under trio.

Of v3 there are informs alone: for them the manager's engine is the authority on clocks, so that a restart of ours needs
to be told to nobody (RFC 3414 section 1.5.1).
"""

import asyncio
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, cast

import msgspec
import trio
from pyasn1.error import PyAsn1Error

from ocs.asyncio_bridge import asyncio_loop, call_asyncio
from ocs.faults.alarm_change import AlarmChange
from ocs.faults.notices.alarm_mib import notification_of
from ocs.faults.notices.sender import NoticeFailedError
from ocs.faults.notification import Syntax, Varbind
from ocs.faults.resync.agent import Secrets
from ocs.faults.resync.polling import credentials
from ocs.limits import MANAGER_NOTICES_MAX, MANAGER_RETRIES, MANAGER_TIMEOUT_S

with warnings.catch_warnings():
    # It imports names of pysmi that pysmi wants to be called otherwise.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pysnmp.entity.rfc3413 import ntforg
    from pysnmp.error import PySnmpError
    from pysnmp.hlapi.v3arch import asyncio as hlapi
    from pysnmp.hlapi.v3arch.asyncio.lcd import NotificationOriginatorLcdConfigurator
    from pysnmp.proto import rfc1902

# Its higher levels would look names up in MIBs.
_originate: Final[Any] = cast("Any", ntforg.NotificationOriginator()).send_varbinds
_configure: Final[Any] = cast("Any", NotificationOriginatorLcdConfigurator()).configure
# pysnmp opens its socket in a task of its own and queues until then; nothing tells when a trap is out.
_LINGER_S: Final = 0.1
# snmpTrapOID.0 (RFC 3416 section 4.2.6).
_TRAP_OID: Final = rfc1902.ObjectName("1.3.6.1.6.3.1.1.4.1.0")
_VALUES: Final[dict[int, Any]] = {
    Syntax.INTEGER: rfc1902.Integer32,
    Syntax.OCTET_STRING: rfc1902.OctetString,
    Syntax.OBJECT_IDENTIFIER: rfc1902.ObjectIdentifier,
}


class Manager(msgspec.Struct, frozen=True, kw_only=True):
    """A manager above us.

    Attributes:
        host: an IP address. secrets: what we share with it.
        is_inform: whether it acknowledges; a trap may be lost and nobody knows.
    """

    host: str
    port: int
    secrets: Secrets
    is_inform: bool = True


class ManagerSender:
    """Sends alarms to a manager, one after the other."""

    def __init__(self, manager: Manager) -> None:
        self.batch_max = MANAGER_NOTICES_MAX
        self._manager = manager

    async def send(self, changes: Sequence[AlarmChange]) -> None:
        """Send all of them. Cancelled, some may have been sent.

        Raises:
            NoticeFailedError: one was not acknowledged; those before it were.
        """
        # Half a tenth of a second of building tables: not between two traps.
        engine = await trio.to_thread.run_sync(hlapi.SnmpEngine)
        # Nothing is raised through the loop, which would wrap it.
        async with asyncio_loop():
            try:
                failure = await self._send_all(engine, changes)
            except (PySnmpError, PyAsn1Error, OSError) as error:
                failure = f"{type(error).__name__}: {error}"
            finally:
                engine.close_dispatcher()
        if failure:
            raise NoticeFailedError(f"{self._manager.host}: {failure}")

    async def _send_all(self, engine: Any, changes: Sequence[AlarmChange]) -> str:
        """Why one was not sent; empty when all were."""
        manager = self._manager
        kind: Any = hlapi.Udp6TransportTarget if ":" in manager.host else hlapi.UdpTransportTarget
        create = partial(kind.create, timeout=MANAGER_TIMEOUT_S, retries=MANAGER_RETRIES)
        target = await call_asyncio(create, (manager.host, manager.port))
        named = _configure(
            engine, credentials(manager.secrets), target, "inform" if manager.is_inform else "trap", b""
        )
        for change in changes:
            if change.alarm is None:
                continue
            name, varbinds = notification_of(change.alarm)
            said = [(_TRAP_OID, rfc1902.ObjectIdentifier(name)), *map(_pysnmp, varbinds)]
            send = partial(_originate, engine, named, None, b"", said)
            if not manager.is_inform:
                send()
            elif failure := await call_asyncio(_acknowledged, send):
                return failure
        if not manager.is_inform:
            await trio.sleep(_LINGER_S)
        return ""


async def _acknowledged(send: Callable[..., Any]) -> str:
    """Why an inform was not taken; empty when it was."""
    came: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def take(*said: Any) -> None:
        _engine, _handle, failure, status, _index, _found, _context = said
        if not came.done():
            came.set_result(str(failure or (f"error-status {int(status)}" if status else "")))

    send(take)
    return await came


def _pysnmp(varbind: Varbind) -> tuple[Any, Any]:
    return rfc1902.ObjectName(varbind.name), _VALUES[varbind.syntax](varbind.value)
