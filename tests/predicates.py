"""Random WHERE clauses over a table of every type that DuckDB can compare, from a seed."""

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa

BATCHES = 48
ROWS = 24
EPOCH = dt.date(1970, 1, 1)


@dataclass
class Kind:
    """A type: the values that small numbers stand for, in order, and its extremes."""

    arrow: pa.DataType
    value: Callable[[int], object]
    extremes: list[object] = field(default_factory=list)


def _integers() -> dict[str, Kind]:
    kinds = {}
    for bits in (8, 16, 32, 64):
        top = 1 << (bits - 1)
        offset = 100 if bits == 8 else 500
        kinds[f"i{bits}"] = Kind(
            getattr(pa, f"int{bits}")(), lambda k, o=offset: k - o, [-top, top - 1, 0]
        )
        kinds[f"u{bits}"] = Kind(getattr(pa, f"uint{bits}")(), lambda k: k, [0, 2 * top - 1])
    return kinds


def _scaled(scale: int) -> Callable[[int], Decimal]:
    return lambda k: Decimal(k - 100).scaleb(-scale)


def kinds() -> dict[str, Kind]:
    """Every type, by the name of its columns."""
    inf = float("inf")
    nan = float("nan")
    floats = [nan, inf, -inf, -0.0, 0.0]
    text = [b"", b"\x00", b"zz\xc3\xa9", "\U0001f986".encode(), b"a" * 40]
    texts = [value.decode() for value in text]
    found = _integers()
    found |= {
        "f32": Kind(pa.float32(), lambda k: (k - 100) / 4, [*floats, 3.4e38]),
        "f64": Kind(pa.float64(), lambda k: (k - 100) / 4, [*floats, 1.7e308, 5e-324]),
        "bool": Kind(pa.bool_(), lambda k: k > 100),
        "dec5": Kind(pa.decimal128(5, 2), _scaled(2), [Decimal("999.99"), Decimal("-999.99")]),
        "dec18": Kind(pa.decimal128(18, 3), _scaled(3), [Decimal(10**18 - 1).scaleb(-3)]),
        "dec38": Kind(pa.decimal128(38, 10), _scaled(10), [-Decimal(10**27)]),
        "date": Kind(
            pa.date32(),
            lambda k: EPOCH + dt.timedelta(days=9 * (k - 100)),
            [dt.date(1, 1, 1), dt.date(9999, 12, 31)],
        ),
        "date64": Kind(pa.date64(), lambda k: EPOCH + dt.timedelta(days=9 * k)),
        "fixed": Kind(pa.binary(3), lambda k: b"%03d" % k, [b"\x00\x00\x00", b"\xff\xff\xff"]),
    }
    if hasattr(pa, "decimal64"):
        found["dec9"] = Kind(pa.decimal32(9, 2), _scaled(2), [Decimal("9999999.99")])
        found["dec12"] = Kind(pa.decimal64(12, 4), _scaled(4))
    for unit, ticks in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        far = [0, -1] if unit == "ns" else [0, -1, -60_000_000_000 * ticks, 250_000_000_000 * ticks]
        for zone, zoned in (("", None), ("_utc", "UTC"), ("_berlin", "Europe/Berlin")):
            kind = pa.timestamp(unit, zoned)
            found[f"ts_{unit}{zone}"] = Kind(
                kind, lambda k, t=ticks: (k - 100) * 3333 * t // 3, far
            )
        time = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
        found[f"t_{unit}"] = Kind(
            time, lambda k, t=ticks: (k * 61 + 1) * t, [0, 86_400 * ticks - 1]
        )
    for name in ("string", "large_string", "string_view"):
        found[name] = Kind(getattr(pa, name)(), lambda k: f"v{k:03}", texts)
    for name in ("binary", "large_binary", "binary_view"):
        found[name] = Kind(getattr(pa, name)(), lambda k: b"v%03d" % k, [*text, b"\xff\xfe"])
    return found


def _column(kind: Kind, rng: random.Random, *, clustered: bool, nulls: float) -> list[object]:
    values = []
    for row in range(BATCHES * ROWS):
        batch = row // ROWS
        near = batch * 4 + rng.randrange(5) if clustered else rng.randrange(200)
        if batch in (7, 8) or (rng.random() < nulls and batch % 5 == 0):
            values.append(None)
        elif kind.extremes and rng.random() < (0.02 if batch in (3, 30) else 0.0):
            values.append(rng.choice(kind.extremes))
        else:
            values.append(kind.value(near))
    return values


def table(seed: int) -> pa.Table:
    """Columns of every type, some sorted from batch to batch, some not; empty batches, batches of NULLs."""
    rng = random.Random(seed)  # noqa: S311
    columns: dict[str, pa.Array] = {"rid": pa.array(range(BATCHES * ROWS), pa.int64())}
    for name, kind in kinds().items():
        for layout in ("sorted", "mixed"):
            clustered = layout == "sorted"
            values = _column(kind, rng, clustered=clustered, nulls=0.2 if clustered else 0.1)
            columns[f"{name}_{layout}"] = pa.array(values, kind.arrow)
    strings = columns["string_sorted"]
    columns["dict_sorted"] = strings.dictionary_encode()
    columns["dict_mixed"] = columns["string_mixed"].dictionary_encode()
    columns["dict_int_sorted"] = columns["i64_sorted"].dictionary_encode()
    inner = pa.StructArray.from_arrays(
        [strings, columns["f64_sorted"]],
        ["c", "d"],
        mask=pa.array([rng.random() < 0.02 for _ in strings]),
    )
    columns["st"] = pa.StructArray.from_arrays(
        [columns["i64_sorted"], inner, columns["date_mixed"]],
        ["a", "b", "e"],
        mask=pa.array([rng.random() < 0.02 for _ in strings]),
    )
    whole = pa.table(columns)
    # Through IPC, which copies what a batch shows: DuckDB refuses slices of structs within structs.
    empty = pa.RecordBatch.from_arrays(
        [array[:0] for array in columns.values()], schema=whole.schema
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        for start in range(0, BATCHES * ROWS, ROWS):
            if rng.random() < 0.1:
                writer.write_batch(empty)
            writer.write_table(whole.slice(start, ROWS))
    return pa.ipc.open_stream(sink.getvalue()).read_all()


class Predicates:
    """Draws WHERE clauses whose constants are values of the column they are compared with.

    Parameters
    ----------
    literals
        Column to its values, as SQL texts.
    """

    def __init__(self, literals: dict[str, list[str]], seed: str) -> None:
        self._literals = literals
        self._columns = sorted(literals)
        self._random = random.Random(seed)  # noqa: S311

    def choose(self, probability: float) -> bool:
        return self._random.random() < probability

    def clause(self, depth: int = 3, alias: str = "") -> str:
        """Draw a condition; sorted columns, which zone maps decide, are drawn more often than others."""
        rng = self._random
        if depth == 0 or rng.random() < 0.4:
            return self._leaf(alias)
        match rng.choice(("and", "and", "or", "not")):
            case "not":
                return f"not ({self.clause(depth - 1, alias)})"
            case word:
                parts = [self.clause(depth - 1, alias) for _ in range(rng.randrange(2, 4))]
                return "(" + f" {word} ".join(parts) + ")"

    def column(self) -> str:
        rng = self._random
        column = rng.choice(self._columns)
        while "mixed" in column and rng.random() < 0.6:
            column = rng.choice(self._columns)
        return column

    def value(self, column: str) -> str:
        return self._random.choice(self._literals[column])

    def operator(self) -> str:
        return self._random.choice(("=", "<>", "<", "<=", ">", ">="))

    def _leaf(self, alias: str) -> str:
        rng = self._random
        column = self.column()
        name = f"{alias}{column}"
        match rng.choice(("compare", "compare", "compare", "between", "in", "not in", "null")):
            case "compare" if rng.random() < 0.2:
                return f"{self.value(column)} {self.operator()} {name}"
            case "compare":
                return f"{name} {self.operator()} {self.value(column)}"
            case "between":
                return f"{name} between {self.value(column)} and {self.value(column)}"
            case "null":
                return f"{name} is {rng.choice(('', 'not '))}null"
            case word:
                values = [self.value(column) for _ in range(rng.randrange(1, 6))]
                if rng.random() < 0.05:
                    values.append("null")
                return f"{name} {word} ({', '.join(values)})"
