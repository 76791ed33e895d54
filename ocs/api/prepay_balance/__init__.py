"""TMF654 Prepay Balance Management v4.0.0: buckets, top-ups, adjustments, transfers, reservations, their history."""
