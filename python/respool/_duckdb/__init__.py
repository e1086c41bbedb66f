"""What `respool.duckdb` is made of: the source, the translator of filters, the types DuckDB can't scan."""
