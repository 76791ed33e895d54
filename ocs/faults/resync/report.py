"""What came of asking an element what stands there."""

import msgspec


class TableReport(msgspec.Struct, frozen=True):
    """What one table came to: its name, its rows, and whether the element has it at all."""

    name: str
    rows: int
    is_told: bool


class ResyncReport(msgspec.Struct, frozen=True):
    """What asking an element came to.

    Attributes:
        failure: why it could not be asked; empty when it could.
        raised, cleared: signals that the list lacked.
    """

    element: str
    failure: str = ""
    tables: tuple[TableReport, ...] = ()
    raised: int = 0
    cleared: int = 0
