"""NETCONF over SSH (RFC 6241, RFC 6242): framing, messages and session without I/O, and the edge that carries them."""
