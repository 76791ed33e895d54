"""The alarm list as people and partners look at it: filtered, sorted, counted, followed. In memory."""
