"""Alarms over HTTP: TMF642 Alarm Management v4, and the native list with its live stream."""
