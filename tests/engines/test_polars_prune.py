"""Zone maps rule out no batch that Polars finds a row in, and most of those that it finds none in.

``python tests/engines/test_polars_prune.py [pairs] [seed]`` runs more pairs than the suite does.
"""

import contextlib
import datetime as dt
import decimal
import math
import random
import struct
import sys

import polars as pl
import pyarrow as pa
import pytest

import respool
import respool.polars
from respool._polars.prune import kept_batches
from respool._polars.types import Table

ROWS, BATCHES = 12, 24
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose
TEXTS = [
    "",
    "a",
    "ab",
    "abc",
    "b",
    "ba",
    "zz",
    "\U0001f600",
    "é",
    "a\U0010ffff",
    "x" * 70,
    "x" * 69,
]


def integer(bits: int, signed: bool):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return lambda r: r.choice([low, high, 0, 1, 2, 3, 5, 7, 11, 100, r.randint(0, 60)])


def float_value(r):
    special = [0.0, -0.0, 1.5, 1e300, -1e300, math.inf, -math.inf, math.nan, 5e-324]
    return r.choice([*special, r.uniform(-9, 9), float(r.randint(-9, 9))])


def float32_value(r):
    value = float_value(r)
    return struct.unpack("f", struct.pack("f", value))[0] if abs(value) < 1e38 else value


def moment(r):
    return r.choice([dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999), EPOCH])  # noqa: DTZ001


def near(r):
    return EPOCH + dt.timedelta(
        days=r.randint(-800, 800), microseconds=r.choice([0, 1, 86_399_999_999])
    )


KINDS = {
    "i8": (pl.Int8, integer(8, signed=True)),
    "i64": (pl.Int64, integer(64, signed=True)),
    "u8": (pl.UInt8, integer(8, signed=False)),
    "u64": (pl.UInt64, integer(64, signed=False)),
    "f32": (pl.Float32, float32_value),
    "f64": (pl.Float64, float_value),
    "s": (pl.String, lambda r: r.choice(TEXTS) + r.choice(["", "", "q"])),
    "bin": (pl.Binary, lambda r: r.choice([b"", b"\x00", b"a", b"ab", b"\xff", b"\xff\xff", b"b"])),
    "date": (pl.Date, lambda r: r.choice([near, near, near, moment])(r).date()),
    "us": (pl.Datetime("us"), lambda r: r.choice([near, near, near, moment])(r)),
    "ms": (pl.Datetime("ms"), lambda r: near(r).replace(microsecond=0)),
    "ns": (pl.Datetime("ns"), near),
    "dur": (pl.Duration("us"), lambda r: dt.timedelta(microseconds=r.randint(-50, 50))),
    "time": (pl.Time, lambda r: dt.time(r.randint(0, 23), r.choice([0, 59]), 0, r.choice([0, 1]))),
    "dec": (pl.Decimal(12, 2), lambda r: decimal.Decimal(r.randint(-3000, 3000)).scaleb(-2)),
    "b": (pl.Boolean, lambda r: r.random() < 0.5),
}
NUMBERS = ["i8", "i64", "u8", "u64", "f32", "f64", "dec"]


def values(r: random.Random, make) -> list:
    shape = r.random()
    if shape < 0.1:
        return [None] * ROWS
    if shape < 0.3:
        return [make(r)] * ROWS
    nulls = r.choice([0, 0, 0.3])
    few = [make(r) for _ in range(r.choice([2, 3, ROWS]))]
    return [None if r.random() < nulls else r.choice(few) for _ in range(ROWS)]


class Fuzz:
    """Random predicates over random batches, and what is counted."""

    def __init__(self, seed: int) -> None:
        self.random = r = random.Random(seed)  # noqa: S311
        parts = [
            pl.DataFrame({n: pl.Series(values(r, make), dtype=t) for n, (t, make) in KINDS.items()})
            for _ in range(BATCHES)
        ]
        self.frame = pl.concat(parts, rechunk=False)
        batches = [batch for part in parts for batch in part.to_arrow().to_batches()]
        self.cache = respool.StreamCache(pa.Table.from_batches(batches))
        self.cache.ingest_all()
        assert self.cache.num_batches == BATCHES
        self.table = Table(self.cache)
        self.pairs = self.prunable = self.pruned = 0
        self.wrong: list[str] = []

    def constant(self, name: str):
        dtype, make = KINDS[name]
        r = self.random
        if r.random() < 0.03:
            return pl.lit(None, dtype=dtype)
        value = make(r)
        if name in NUMBERS and name != "dec" and r.random() < 0.1:
            return r.choice([2.5, -1.0, 3.0, 300, -1])
        return pl.lit(value, dtype=dtype) if r.random() < 0.5 else value

    def compared(self, name: str):
        r = self.random
        column = pl.col(name)
        if name in {"date", "us", "ms", "ns"} and r.random() < 0.3:
            return r.choice(
                [(column.dt.year(), r.randint(1967, 1973)), (column.dt.date(), near(r).date())]
            )
        if name == "date" and r.random() < 0.3:
            return column.cast(pl.Datetime(r.choice(["ms", "us"]))), near(r)
        if name in {"i8", "u8"} and r.random() < 0.2:
            return column.cast(r.choice([pl.Int16, pl.Int64, pl.Float64])), r.randint(-20, 200)
        if name in {"i64", "u64", "dec", "f32"} and r.random() < 0.2:
            return column.cast(pl.Float64), r.choice([2.0**53, 2.5, 7.0, -3.25, 9.2e18])
        if name == "i64" and r.random() < 0.05:
            return column.cast(pl.Int8, strict=False), 5
        return column, self.constant(name)

    def leaf(self) -> pl.Expr:  # noqa: PLR0911
        r = self.random
        name = r.choice(list(KINDS))
        column = pl.col(name)
        dtype, make = KINDS[name]
        kind = r.random()
        if kind < 0.08:
            return r.choice([column.is_null(), column.is_not_null()])
        if name == "b" and kind < 0.5:
            return column
        if name in {"f32", "f64"} and kind < 0.15:
            return r.choice([column.is_nan(), column.is_not_nan()])
        if name == "s" and kind < 0.3:
            return column.str.starts_with(r.choice([*TEXTS, "zzz", "q"]))
        if name == "i64" and kind < 0.12:
            return (column % 7) == r.randint(0, 7)
        if kind < 0.3:
            listed = [make(r) for _ in range(r.randint(0, 4))]
            if r.random() < 0.2:
                listed.append(None)
            return column.is_in(pl.Series(listed, dtype=dtype))
        if kind < 0.45 and name != "b":
            bounds = sorted([make(r), make(r)])
            closed = r.choice(["both", "left", "right", "none"])
            return column.is_between(*(pl.lit(b, dtype=dtype) for b in bounds), closed=closed)
        left, right = self.compared(name)
        if r.random() < 0.2:
            left, right = right, left
        compare = [
            lambda: left < right,
            lambda: left <= right,
            lambda: left > right,
            lambda: left >= right,
            lambda: left == right,
            lambda: left != right,
        ]
        return r.choice(compare)()

    def predicate(self, depth: int = 0) -> pl.Expr:
        r = self.random
        kind = r.random()
        if depth < 3 and kind < 0.12:
            return ~self.predicate(depth + 1)
        if depth < 3 and kind < 0.3:
            return self.predicate(depth + 1) & self.predicate(depth + 1)
        if depth < 3 and kind < 0.4:
            return self.predicate(depth + 1) | self.predicate(depth + 1)
        return self.leaf()

    def optimised(self, predicate: pl.Expr) -> list[pl.Expr]:
        """What an IO source is given for it."""
        received = []

        def source(columns, given, rows, size):
            received.append(given)
            yield self.frame.clear().select(columns or pl.all())

        frame = pl.io.plugins.register_io_source(source, schema=self.frame.schema)
        frame.filter(predicate).collect()
        return [given for given in received if given is not None]

    def step(self) -> None:
        predicate = self.predicate()
        if not isinstance(predicate, pl.Expr):
            return
        for given in (predicate, *self.optimised(predicate)):
            with contextlib.suppress(pl.exceptions.PolarsError):
                self.compare(given)

    def compare(self, given: pl.Expr) -> None:
        passes = self.frame.select(given.alias("passes"))["passes"]
        if passes.dtype != pl.Boolean or passes.len() != self.frame.height:
            return
        kept = kept_batches(self.table, [given]) or [True] * BATCHES
        assert len(kept) == BATCHES
        found = passes.fill_null(value=False)
        for batch, keep in enumerate(kept):
            finds = found[batch * ROWS : (batch + 1) * ROWS].any()
            self.pairs += 1
            self.prunable += not finds
            self.pruned += not finds and not keep
            if finds and not keep:
                self.wrong.append(f"{given} of batch {batch}")


def run(pairs: int, seed: int) -> Fuzz:
    """Take new batches now and then."""
    total = Fuzz(seed)
    while total.pairs < pairs:
        seed += 1
        fuzz = Fuzz(seed)
        for _ in range(40):
            fuzz.step()
        total.pairs += fuzz.pairs
        total.prunable += fuzz.prunable
        total.pruned += fuzz.pruned
        total.wrong += fuzz.wrong
    return total


@pytest.mark.filterwarnings("ignore:Comparisons with None")
def test_no_batch_is_skipped_wrongly_and_most_are_skipped_rightly():
    assert len(KINDS) >= 13
    fuzz = run(6_000, seed=1)
    assert fuzz.wrong == []
    assert fuzz.pruned >= 0.75 * fuzz.prunable > 1_000


if __name__ == "__main__":
    fuzz = run(int(sys.argv[1]), int(sys.argv[2]))
    share = fuzz.pruned / fuzz.prunable
    print(pl.__version__, f"{fuzz.pairs} pairs, {fuzz.prunable} prunable, {share:.1%} pruned")  # noqa: T201
    print(len(fuzz.wrong), "wrong", *fuzz.wrong[:10], sep="\n")  # noqa: T201
