"""Network elements that are configured: NETCONF servers and command lines over SSH, with faults on command."""
