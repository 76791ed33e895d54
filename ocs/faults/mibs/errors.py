"""What is wrong with a MIB, said in one line."""


class MibError(ValueError):
    """A MIB file or a name in one cannot be used; ``str()`` is one line: file, line, what was expected."""

    def __init__(self, file: str, line: int, expectation: str) -> None:
        place = f"{file}:{line}" if line else file
        super().__init__(f"{place}: {expectation}" if place else expectation)
        self.file = file
        self.line = line
        self.expectation = expectation
