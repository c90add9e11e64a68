"""Network and images -> features or outputs, fast."""
