"""TMF639 Resource Inventory: what the network consists of, numbers and SIMs."""
