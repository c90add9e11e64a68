"""Table -> table: discretization and harmonization."""
