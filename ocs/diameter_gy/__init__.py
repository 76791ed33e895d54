"""Diameter for credit control: bytes <-> neutral messages, peers and the server (RFC 6733, RFC 8506, TS 32.299)."""
