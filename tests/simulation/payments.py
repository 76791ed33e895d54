"""The payment side: it reads of money that runs low, has it paid, and sees to it that it comes."""

from random import Random

from ocs.events import ChargeEvent, NoticeKind
from ocs.subscribers.auto_top_up import AutoTopUps
from ocs.units import Money
from tests.simulation.clerks import Errand, Errands
from tests.simulation.reader import Reader
from tests.support.books import check
from tests.support.evidence import Evidence


class Payments:
    """Handles each notice of the stream until it hears that it is done; some it reads twice.

    Args:
        reader: takes only what no promotion can lose.
    """

    def __init__(self, random: Random, reader: Reader, errands: Errands, evidence: Evidence) -> None:
        self._random = random
        self._reader = reader
        self._errands = errands
        self._evidence = evidence
        self._handled: set[str] = set()
        self._refused: dict[str, bool] = {}

    def look(self) -> None:
        """Take up what is new in the stream."""
        for event in list(self._reader.taken.values()):
            notice = event.notice
            if notice is None or notice.kind is not NoticeKind.AUTO_TOP_UP:
                continue
            if event.event_id not in self._handled:
                if self._random.random() < 0.95:  # else it forgets how far it has read
                    self._handled.add(event.event_id)
                self._errands.take_on(
                    Errand(f"pays for {event.event_id}", lambda s, e=event: self._handle(AutoTopUps(s, _Port(self, e)), e))
                )  # fmt: skip

    def _handle(self, desk: AutoTopUps, event: ChargeEvent) -> None:
        desk.handle(event)

    def pay(self, event: ChargeEvent, account_id: str, amount: Money, reference: str) -> bool:
        """A payment is asked for; what is refused stays refused."""
        if self._refused.setdefault(event.event_id, self._random.random() < 0.1):
            return False
        payment = reference, account_id, amount.micro
        known = self._evidence.paid.setdefault(event.event_id, payment)
        check(known == payment, "paid twice:", known, payment)
        return True


class _Port:
    def __init__(self, payments: Payments, event: ChargeEvent) -> None:
        self._payments = payments
        self._event = event

    def pay(self, account_id: str, amount: Money, *, method: str, reference: str) -> bool:
        check(method == "card", "paid by", method)
        return self._payments.pay(self._event, account_id, amount, reference)
