"""Looks at what the agenda names: dates that have come, and operations that a crash cut off.

Any number of processes may sweep: what two of them find is done once.
"""

from typing import Any, Final

import redis
import structlog

from ocs.balance import keys
from ocs.balance.client import BalanceClient, Change, StoreBusyError
from ocs.balance.entries import record_movement
from ocs.balance.lifecycle import advanced
from ocs.balance.model import Account, LifecycleState, decode_account
from ocs.balance.notices import record_notices
from ocs.balance.purse import Purse
from ocs.balance.store import ABSENT, Stored
from ocs.events import ChargeEvent, EventKind
from ocs.limits import AGENDA_LINES_PER_LOOK
from ocs.metrics import Counter
from ocs.subscribers.administration import Administration
from ocs.subscribers.agenda import AgendaKind, AgendaLine, account_member, parse_line
from ocs.subscribers.office import AccountChange, Office
from ocs.subscribers.operations import state_notice
from ocs.subscribers.plans import Plans
from ocs.subscribers.redemptions import Redemptions
from ocs.subscribers.top_ups import TopUps
from ocs.subscribers.transfers import Transfers
from ocs.units import Money

log = structlog.get_logger()

_LOOKED_AT: Final = Counter(
    "ocs_agenda_lines_total", "Lines of the agenda that came due, by kind.", ("kind",)
)
_FAULTS: Final = Counter("ocs_agenda_faults_total", "Lines of the agenda that could not be worked off.")
# So that what fails for ever neither fills a look nor the log.
_PUT_OFF_MS: Final = 600_000


class Sweeper:
    """Works off what is due, partition by partition; blocks."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._client: BalanceClient = office.client

    def sweep(self) -> int:
        """Look at every partition once; how many lines were due.

        Raises:
            redis.RedisError: the store does not answer.
        """
        return sum(self.sweep_partition(partition) for partition in range(self._client.partitions))

    def sweep_partition(self, partition: int) -> int:
        """Look at one partition; how many lines were due.

        A line that cannot be worked off is told and put off for a while; the others are not held up.
        """
        connection: Any = self._client.connection
        key, now_ms = keys.agenda_key(partition), self._office.clock.now_ms()
        members = connection.zrangebyscore(key, 0, now_ms, start=0, num=AGENDA_LINES_PER_LOOK)
        for member in members:
            name = member.decode()
            try:
                line = parse_line(name)
                self._work_off(line)
                _LOOKED_AT.inc(line.kind.name.lower())
            except (StoreBusyError, redis.RedisError):
                raise
            except Exception:  # around one line, as around a request: told, and the others go on
                _FAULTS.inc()
                log.exception("agenda_line_failed", partition=partition, line=name)
                connection.zadd(key, {member: now_ms + _PUT_OFF_MS}, xx=True, gt=True)
        return len(members)

    def _work_off(self, line: AgendaLine) -> None:
        match line.kind:
            case AgendaKind.ACCOUNT:
                self._tend_account(*line.names)
            case AgendaKind.SUBSCRIBER:
                Plans(self._office).renew(*line.names)
            case AgendaKind.TRANSFER:
                Transfers(self._office).complete(*line.names)
            case AgendaKind.VOUCHER:
                Redemptions(self._office).complete(*line.names)
            case AgendaKind.PAYMENT:
                account_id, reference, micro, currency = line.names
                amount = Money(int(micro), currency)
                TopUps(self._office).complete(account_id, amount, reference=reference)

    def _tend_account(self, account_id: str) -> None:
        """Take out what has expired, and take the steps of its life that are due."""
        office = self._office
        key = keys.account_key(self._client.partition_of(account_id), account_id)
        states: list[tuple[LifecycleState, LifecycleState]] = []

        def decide(values: tuple[Stored, ...]) -> Change:
            if values[0].token == ABSENT:
                return Change({}, agenda={account_member(account_id): None})
            before = decode_account(values[0].content)
            now_ms = office.clock.now_ms()
            after = advanced(before, now_ms, office.rules.lifecycle)
            purse = Purse(after, now_ms)
            events = _date_events(purse, before, after, office.catalogue.time_zone)
            account = purse.account()
            states.append((before.state, after.state))
            lines = office.agenda_of(account)
            if after.state is LifecycleState.RECYCLED:
                lines[account_member(account_id)] = now_ms  # until its numbers are given back
            writes = {} if account == before else {key: account}
            return Change(dict(writes), events, agenda=lines)

        self._client.change(account_id, (key,), decide)
        if not states:
            return
        was, is_now = states[-1]
        if is_now is LifecycleState.RECYCLED:
            Administration(office).give_numbers_back(account_id)
            line: dict[str, int | None] = {account_member(account_id): None}
            self._client.change(account_id, (key,), lambda _: Change({}, agenda=line))
        if is_now is not was:
            office.on_change(account_id, AccountChange.STATE)


def _date_events(purse: Purse, before: Account, after: Account, time_zone: str) -> tuple[ChargeEvent, ...]:
    """Take out what has expired, and tell it and a change of state.

    The ids are made of the dates, not of this look: however late or often it is made, they are the same events.
    """
    events: list[ChargeEvent] = []
    name = before.account_id
    if movements := purse.expire():
        first = movements[0]
        until_ms = next(b.valid_until_ms for b in before.buckets if b.bucket_id == first.bucket_id)
        event_id = f"expiry:{name}:{first.bucket_id}:{until_ms}:{first.balance_after - first.amount}"
        events.append(
            record_movement(purse, EventKind.EXPIRY, movements, event_id=event_id, time_zone=time_zone)
        )
    if after.state != before.state:
        event_id = f"state:{name}:{after.since_ms}"
        events += record_notices(purse, [state_notice(after)], event_id=event_id, time_zone=time_zone)
    return tuple(events)
