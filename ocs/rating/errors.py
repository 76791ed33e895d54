"""What is wrong with a catalogue, said in one line."""


class CatalogueError(ValueError):
    """A catalogue cannot be used; the text is one line for the operator.

    Attributes:
        file: the file's name, or which stored catalogue.
        key: the path of the key in it, list entries by their id: ``offers[prepaid].prices[data].amount``.
        expectation: what should stand there.
    """

    def __init__(self, file: str, key: str, expectation: str) -> None:
        super().__init__(": ".join(part for part in (file, key, expectation) if part))
        self.file = file
        self.key = key
        self.expectation = expectation


class ExpectationError(ValueError):
    """A key of the entry at hand is wrong; whoever knows file and entry makes a CatalogueError of it."""

    def __init__(self, key: str, expectation: str) -> None:
        super().__init__(f"{key}: {expectation}")
        self.key = key
        self.expectation = expectation

    def within(self, entry: str) -> "ExpectationError":
        """The same error, seen from the entry that contains this one."""
        return ExpectationError(f"{entry}.{self.key}" if self.key else entry, self.expectation)
