"""What the network consists of, who uses what of it, and what it should look like."""
