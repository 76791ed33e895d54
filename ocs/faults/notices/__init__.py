"""Telling people and partners of alarms: who wants what, an outbox, mail, SNMP to managers above us."""
