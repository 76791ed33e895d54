"""TMF641 Service Ordering: orders of several services, each by a transaction of its own."""
