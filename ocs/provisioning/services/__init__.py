"""From services to the configuration of elements: models, and who owns which part of a configuration."""
