"""From datagrams to durable alarms: read in batches, rationed by source, decoded, understood, committed."""
