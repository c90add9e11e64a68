"""Table -> fewer columns: the selectors."""
