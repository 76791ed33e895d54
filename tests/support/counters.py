"""What access servers count from a session's beginning, as they mean it: true, however their words wrap."""

from typing import NamedTuple


class Counters(NamedTuple):
    """Time first, so that a later state is a greater one."""

    time_s: int
    input_octets: int
    output_octets: int

    @property
    def octets(self) -> int:
        """Both ways."""
        return self.input_octets + self.output_octets

    def plus(self, input_octets: int, output_octets: int, time_s: int) -> "Counters":
        """The counters when so much more was carried, at a session's age."""
        return Counters(time_s, self.input_octets + input_octets, self.output_octets + output_octets)

    def beyond(self, before: "Counters") -> int:
        """How many octets they count that others do not."""
        return max(0, self.input_octets - before.input_octets) + max(
            0, self.output_octets - before.output_octets
        )

    def joined(self, other: "Counters") -> "Counters":
        """The higher of each."""
        return Counters(*(max(pair) for pair in zip(self, other, strict=True)))


NOTHING = Counters(0, 0, 0)
