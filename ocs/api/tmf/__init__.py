"""The generic TM Forum layer (TMF630 REST guidelines): queries, resources, errors, records, event delivery."""
