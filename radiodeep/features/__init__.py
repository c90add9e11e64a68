"""Cases -> table rows: the extractors."""
