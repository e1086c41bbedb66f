"""Whether two Polars expressions are the same."""

import polars as pl

IS_POLARS_1 = pl.__version__.startswith("1.")


def same(one: pl.Expr, other: pl.Expr) -> bool:
    """Whether they do the same with the same."""
    if one.meta.eq(other):
        return True
    # The optimiser of Polars 1 leaves marks on functions that compare but are not written.
    return IS_POLARS_1 and one.meta.serialize() == other.meta.serialize()
