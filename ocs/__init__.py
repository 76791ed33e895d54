"""The online charging system: answers the network in milliseconds, and never loses money."""
