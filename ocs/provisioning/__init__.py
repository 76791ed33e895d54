"""NETCONF and SSH adapters that configure network elements."""
