"""Network elements that send SNMP notifications, written by pysnmp's codec: it shares nothing with the server's."""
