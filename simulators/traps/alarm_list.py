"""The alarm list as anybody sees it: by HTTP."""

import contextlib
import http.client
import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

from simulators.traps.judging import Seen

_TIMEOUT_S: Final = 10.0
_PAGE: Final = 1_000


class AlarmListError(RuntimeError):
    """The list cannot be read; the message says why."""


class AlarmList:
    """Reads the list.

    Args:
        address: ``host:port`` of the HTTP interface.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def of(self, elements: Iterable[str]) -> list[Seen]:
        """All alarms of some elements.

        Raises:
            AlarmListError: no answer, or one that is not understood.
        """
        return [seen for element in sorted(elements) for seen in self._of_one(element)]

    def shown(self, **conditions: str) -> list[dict[str, Any]]:
        """The first alarms that fulfil conditions of the HTTP interface, with everything that it says of them.

        Raises:
            AlarmListError: no answer, or one that is not understood.
        """
        return self._get({**conditions, "limit": _PAGE})["items"]

    def _of_one(self, element: str) -> list[Seen]:
        found: list[Seen] = []
        while True:
            page = self._get({"resource": element, "sort": "resource", "limit": _PAGE, "offset": len(found)})
            try:
                found += [_seen(shown) for shown in page["items"]]
                if not page["items"] or len(found) >= page["total"]:
                    return found
            except (KeyError, TypeError) as error:
                raise AlarmListError(f"the alarm list's JSON is not understood: {error!r}") from None

    def _get(self, query: dict[str, Any]) -> Any:
        try:
            connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT_S)
            with contextlib.closing(connection):
                connection.request("GET", f"/api/v1/alarms?{urlencode(query)}")
                response = connection.getresponse()
                octets = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise AlarmListError(f"http://{self._address}/api/v1/alarms: {error}") from None
        if response.status != http.client.OK:
            raise AlarmListError(f"http://{self._address}/api/v1/alarms: status {response.status}")
        return json.loads(octets)


def _seen(shown: dict[str, Any]) -> Seen:
    return Seen(
        shown["alarm_id"],
        shown["resource"],
        shown["alarm_type"],
        shown["is_cleared"],
        shown["root_cause"] or "",
        shown["occurrences"],
    )
