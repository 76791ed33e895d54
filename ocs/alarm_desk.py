"""What commands about alarms work with: the settings, a store, the list as it is now, a console."""

import argparse
from collections.abc import Iterable
from pathlib import Path

import trio

from ocs.alarm_listing import ID_CHARACTERS
from ocs.alarm_names import topology_to_look_by
from ocs.alarm_terminal import ID_LETTERS_MIN, make_console
from ocs.balance.barrier import Barrier
from ocs.balance.redis_stream import StoreServers
from ocs.clock import SystemClock
from ocs.faults.notices.outbox import Outbox
from ocs.faults.store.desk import AlarmDesk, NoSuchAlarmError
from ocs.faults.store.desk_door import RedisDeskDoor
from ocs.faults.store.reader import AlarmReader
from ocs.faults.view.alarm_view import AlarmView
from ocs.faults.view.naming import ResourceNames
from ocs.faults.view.selection import AlarmFilter
from ocs.log import configure_logging
from ocs.settings import Settings
from ocs.store_setup import open_store, store_address, store_url


class Desk:
    """What every command here needs: the settings, a store, a console."""

    def __init__(self, options: argparse.Namespace) -> None:
        settings, launch = options.open(options)
        # To stderr: what is printed may be read by a program.
        configure_logging(settings.log, style="console")
        self.settings: Settings = settings
        self.data_dir: Path = launch.data_dir
        self.now_ms = SystemClock().now_ms()
        self.topology = topology_to_look_by(settings)
        self.names = ResourceNames(self.topology.canonical)
        self.console = make_console()
        connection, _ = open_store(settings, launch.data_dir)
        self.outbox = Outbox(connection)
        self.alarms = AlarmDesk(RedisDeskDoor(connection, Barrier.from_settings(settings.store)))

    def reader(self) -> AlarmReader:
        """A reader of the list."""
        address = store_address(self.settings, store_url(self.settings, self.data_dir))
        return AlarmReader(StoreServers(address))

    def view(self) -> AlarmView:
        """The list as it is now."""

        async def load() -> AlarmView:
            reader = self.reader()
            try:
                snapshot = await reader.load()
            finally:
                await reader.aclose()
            return AlarmView(snapshot.alarms, snapshot.operators, self.names)

        return trio.run(load)

    def full_ids(self, texts: Iterable[str]) -> list[str]:
        """Ids that somebody typed, whole or by their first letters.

        Raises:
            NoSuchAlarmError: no alarm begins so, or several do.
        """
        found: list[str] = []
        view: AlarmView | None = None
        for text in texts:
            if len(text) == ID_CHARACTERS:
                found.append(text)
                continue
            view = self.view() if view is None else view
            ids = [name for name in view.ids(AlarmFilter(), self.now_ms) if name.startswith(text)]
            if len(text) < ID_LETTERS_MIN:
                raise NoSuchAlarmError(
                    f"{text!r} is too short: give {ID_LETTERS_MIN} letters or more of the alarm's id"
                )
            if not ids:
                raise NoSuchAlarmError(
                    f"no alarm's id begins with {text!r}: `ocs alarms list --all` shows the ids"
                )
            if len(ids) > 1:
                raise NoSuchAlarmError(f"{len(ids)} alarms' ids begin with {text!r}: give more letters")
            found += ids
        return found

    def print_lines(self, lines: Iterable[str]) -> None:
        """Print lines as they are."""
        for line in lines:
            self.console.print(line)
