"""RADIUS: authorisation and accounting with prepaid quota, for Wi-Fi and fixed access (RFC 2865, 2866, 2869, 5176)."""
