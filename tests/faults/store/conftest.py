"""A real store with an alarm list."""

from tests.support.alarm_lab import alarm_server

__all__ = ["alarm_server"]
