"""Evidence -> files: figures and reports."""
