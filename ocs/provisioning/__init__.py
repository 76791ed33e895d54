"""What is sold and wanted, brought into network elements over NETCONF and SSH: on all concerned or on none."""
