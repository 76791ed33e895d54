"""The alarm list as a pure core: what signals, operators and time make of it."""
