"""SNMP as a receiver of notifications: octets in, notifications, replies and refusals out. No I/O."""
