"""The history of alarms in SQL: each change once, and what reports need of it."""
