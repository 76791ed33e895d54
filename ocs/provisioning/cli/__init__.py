"""Elements without NETCONF: their command line over SSH, described by their type."""
