"""What an element still knows after a restart."""

import json
from pathlib import Path
from typing import Any


class Memory:
    """Keeps one record, in a file or, without one, as long as the process lives."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._record: dict[str, Any] = {}
        if path is not None and path.exists():
            self._record = json.loads(path.read_text(encoding="utf-8"))

    def load(self) -> dict[str, Any]:
        """The record; empty when there is none."""
        return self._record

    def save(self, **values: Any) -> None:
        """Keep values beside those that are kept already; what a crash leaves is the old record or the new one."""
        self._record = {**self._record, **values}
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._path.with_suffix(".new")
            beside.write_text(json.dumps(self._record), encoding="utf-8")
            beside.replace(self._path)
