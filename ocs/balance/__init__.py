"""Accounts, buckets and reservations, how money moves in them, and the store that keeps them (the ABMF)."""
