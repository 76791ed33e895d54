"""Alarms in Redis: who owns the list, how it is written, who may act on it, what is forgotten."""
