"""Where everything is kept: SQLite in the house, PostgreSQL for several nodes."""
