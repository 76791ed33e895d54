"""Simulators: the network around the system, from stacks that share no code with it."""
