"""Who uses services and who pays: accounts, identities, top-ups."""
