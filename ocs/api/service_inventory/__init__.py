"""TMF638 Service Inventory: services as they are in the network."""
