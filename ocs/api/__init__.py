"""HTTP of the online side: health, metrics, live sessions and accounts, a status page."""
