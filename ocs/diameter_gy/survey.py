"""Where a request holds what: taken down AVP by AVP, for :mod:`ocs.diameter_gy.familiar` to compile."""

from typing import NamedTuple

from ocs.diameter_gy.layouts import Step


class UnitSpan(NamedTuple):
    """One number of a Used-Service-Unit: which it is (as ``unit_of`` takes them), and where it stands."""

    place: int
    start: int
    stop: int


class Survey:
    """What was found in one request.

    Attributes:
        headers: where AVP headers begin and end, at every depth that charging looks into.
        varying: where values begin and end that do not tell one session from another, in order.
        content: where AVPs begin and end that the fingerprint covers, in order.
        number: where CC-Request-Number's value stands. event_time: likewise, 0 where there is none.
        proxy_info: where the one Proxy-Info begins and ends; nowhere when there is none.
        used: the numbers of each Used-Service-Unit of each service.
    """

    __slots__ = ("content", "event_time", "headers", "number", "proxy_info", "used", "varying")

    def __init__(self) -> None:
        self.headers: list[tuple[int, int]] = []
        self.varying: list[tuple[int, int]] = []
        self.content: list[tuple[int, int]] = []
        self.number = self.event_time = 0
        self.proxy_info = slice(0)
        self.used: list[list[list[UnitSpan]]] = []

    def enter(self, step: Step) -> None:
        """Take down an AVP's header."""
        self.headers.append((step.start, step.data))

    def vary(self, step: Step) -> None:
        """Take down that an AVP's data may vary."""
        self.varying.append((step.data, step.stop))
