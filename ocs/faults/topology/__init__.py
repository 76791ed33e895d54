"""What depends on what in the network, so that symptoms are told from causes."""
