"""The business side: turns settled charges into a ledger, invoices, payments and tickets."""
