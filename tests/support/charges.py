"""What use costs by a second calculation: a meter for each service of each session, counters by the day, pools."""

from collections import Counter, defaultdict

from ocs.balance.model import Session
from ocs.events import ChargeEvent, EventKind
from ocs.messages import ChargingAnswer, ChargingRequest, RequestedAction, ServiceUnit, TariffChangeUsage
from ocs.units import UnitType
from tests.support.books import Meter, Place, check, sides
from tests.support.counters import NOTHING, Counters
from tests.support.prices import PRICES, Price, price_at
from tests.support.tallies import Counts, Held, Pool
from tests.support.values import Values

POOLED: dict[int | None, Price] = {94: PRICES["stories/pool-a"], 95: PRICES["stories/pool-b"]}


class Charges:
    """Everything that was charged in one line of commits.

    Args:
        tally: how often what was judged.
    """

    def __init__(self, values: Values, tally: Counter[str]) -> None:
        self._values = values
        self._tally = tally
        self.counted = Counts()
        self._counters: dict[str, Counters] = {}
        self._pools: dict[tuple[str, bytes], Pool] = defaultdict(Pool)
        self._meters: dict[tuple[str, bytes, int | None], Meter] = defaultdict(Meter)

    def meter_of(self, session: Session, rating_group: int | None) -> Meter:
        """The meter of a service of a session."""
        return self._meters[session.session_id, session.opening_fingerprint, rating_group]

    # --- Counters that run from a session's beginning -----------------------------------------------------

    def counters_of(self, session_id: str) -> Counters:
        """How far the counters of a session's access server are charged."""
        return self._counters.get(session_id, NOTHING)

    def since_last_report(self, session_id: str, counters: Counters) -> tuple[ServiceUnit, ...]:
        """What a report tells that none before it did, whatever lives its session had."""
        before = self.counters_of(session_id)
        self._counters[session_id] = before.joined(counters)
        self._tally["running counters judged"] += 1
        octets = counters.beyond(before)
        return (ServiceUnit(octets),) if octets else ()

    # --- Uses -------------------------------------------------------------------------------------------

    def check_one_time(self, request: ChargingRequest, event: ChargeEvent) -> None:
        check(event.kind == (
            EventKind.REFUND if request.requested_action == RequestedAction.REFUND_ACCOUNT else EventKind.DEBIT
        ), "kind of", event)  # fmt: skip
        price = PRICES[event.tariff_path]
        sign = 1 if event.kind == EventKind.REFUND else -1
        covered = sum(sign * m.amount for m in event.movements if m.unit_type != UnitType.MONEY)
        check(sign * event.amount_micro == price.cost(price.billed(event.units) - covered), "price of", event)

    def check_debit(self, event: ChargeEvent, session: Session, units: int, held: Held) -> None:
        price = price_at(event.tariff_path)
        meter = self.meter_of(session, event.rating_group)
        check(meter.path in {"", event.tariff_path} or price.is_switched, "tariff changed", event)
        if meter.path != event.tariff_path:
            meter.earlier += meter.charged
            meter.counted = meter.covered = meter.charged = 0
        meter.path = event.tariff_path
        meter.account_id = event.account_id
        covered = -sum(m.amount for m in event.movements if m.unit_type != UnitType.MONEY)
        meter.counted += units
        meter.covered += covered
        billed = price.billed(meter.counted)
        money_units = billed - meter.covered
        if money_units > 0 and price.fee:
            meter.fee = price.fee
        if price.counter:
            subscriber = self._values.subscriber_of(session)
            assert subscriber is not None
            due = self.counted.cost(subscriber, price, units, held, -event.amount_micro)
        else:
            due = price.cost(money_units) + meter.fee - meter.charged
        check(-event.amount_micro == due, "charged", event, "due", due, meter)
        check(event.billed_units == billed - price.billed(meter.counted - units), "billed units of", event)
        meter.charged += due

    def check_sides(
        self, request: ChargingRequest, before: Session | None, found: dict[Place, list[ChargeEvent]]
    ) -> None:
        """What was used before a tariff switch was charged under the grant's price, the rest under the other one."""
        for service in before.services if before is not None else ():
            asked = next((a for a in request.services if a.rating_group == service.rating_group), None)
            events = found.get((request.session_id, request.request_number, service.rating_group), [])
            if asked is None or not service.after_path:
                continue
            for part, event in zip(sides(asked.used), events, strict=True):
                is_after = part[0].tariff_change_usage == TariffChangeUsage.AFTER
                path = service.after_path if is_after else service.tariff_path
                check(event.tariff_path == path, "on the wrong side of the switch:", event, service)
                self._tally["sides of a switch"] += 1

    def by_account(self) -> Counter[str]:
        """What the use of each account has cost in money, one-time events apart."""
        charged: Counter[str] = Counter()
        for meter in filter(lambda meter: meter.counted, self._meters.values()):
            price = price_at(meter.path)
            charged[meter.account_id] += meter.earlier + (
                meter.charged
                if price.counter
                else price.cost(price.billed(meter.counted) - meter.covered) + meter.fee
            )
        return charged

    # --- Pools ------------------------------------------------------------------------------------------

    def pooled(self, request: ChargingRequest, answer: ChargingAnswer, session: Session) -> None:
        """A request takes from its session's pool, and its answer brings quotas into it."""
        pool = self._pools[session.session_id, session.opening_fingerprint]
        pool.reported(request, POOLED)
        pool.granted(answer, POOLED)

    def check_pool(self, session: Session) -> None:
        """What a gateway may still use of its pool is held."""
        pool = self._pools[session.session_id, session.opening_fingerprint]
        check(pool.is_covered_by(session), "pool", pool, "is not covered by", session)
        self._tally["pools judged"] += bool(pool.members)
