"""TMF640 Service Activation and Configuration: services made, changed and deleted in the network."""
