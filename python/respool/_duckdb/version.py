"""Which DuckDB this is."""

import duckdb

IS_OLD = int(duckdb.__version__.partition(".")[0]) < 2  # noqa: PLR2004
