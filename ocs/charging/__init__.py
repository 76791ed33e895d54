"""One request, one decision: what the network asks for meets prices and balances (the OCF of TS 32.296)."""
