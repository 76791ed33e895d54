"""Trap receivers, alarms and their correlation."""
