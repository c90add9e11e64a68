"""Network and examples -> trained network."""
