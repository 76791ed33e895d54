"""What is wrong with alarm rules, said in one line."""


class RulesError(ValueError):
    """Rules cannot be used; ``str()`` is one line: file and line, entry and key, what was expected.

    Attributes:
        file: its path, as the folder was named. line: from 1; 0 when it is no one line's.
        key: ``rules[link-down].when``; empty when it is the file's.
    """

    def __init__(self, file: str, line: int, key: str, expectation: str) -> None:
        place = f"{file}:{line}" if line else file
        super().__init__(": ".join(part for part in (place, key, expectation) if part))
        self.file = file
        self.line = line
        self.key = key
        self.expectation = expectation


class EntryError(ValueError):
    """One key of the rule at hand is wrong; whoever knows the file makes a :class:`RulesError` of it.

    Attributes:
        path: keys and places from the rule inwards: ``("signals", 0, "text")``.
    """

    def __init__(self, path: tuple[str | int, ...], expectation: str) -> None:
        super().__init__(expectation)
        self.path = path
        self.expectation = expectation

    def within(self, *outer: str | int) -> "EntryError":
        """The same error, seen from what contains it."""
        return EntryError((*outer, *self.path), self.expectation)
