"""Arrays made buffer by buffer or sliced, in layouts that the Arrow format allows and few write."""

import pyarrow as pa


def buffers_of(kind: pa.DataType, buffers: list, length: int = 0, **options: object) -> pa.Array:
    return pa.Array.from_buffers(kind, length, buffers, **options)


def bits(*values: bool) -> pa.Buffer:
    return pa.array(values, pa.bool_()).buffers()[1]


def numbers(*values: int, kind: pa.DataType | None = None) -> pa.Buffer:
    return pa.array(values, kind or pa.int32()).buffers()[1]


EMPTY = pa.py_buffer(b"\x7f" * 64).slice(0, 0)
NOTHING = pa.array([], pa.int8())
WORDS = pa.array(["zero", "one", "two", "three"])
RUNS = pa.RunEndEncodedArray.from_arrays([3, 5, 12], ["a", None, "b"])
UNION_IDS = pa.array([0, 1] * 4, pa.int8())

LAYOUTS: dict[str, pa.Array] = {
    # Without rows, buffers may be empty or missing; old Arrow wrote no offsets for no rows.
    "no data": buffers_of(pa.int64(), [None, None]),
    "empty data": buffers_of(pa.int64(), [None, EMPTY]),
    "no bits": buffers_of(pa.bool_(), [None, None]),
    "empty offsets": buffers_of(pa.string(), [None, EMPTY, EMPTY]),
    "empty large offsets": buffers_of(pa.large_binary(), [None, EMPTY, EMPTY]),
    "empty validity": buffers_of(pa.string(), [EMPTY, EMPTY, EMPTY]),
    "empty offsets of lists": buffers_of(pa.list_(pa.int8()), [None, EMPTY], children=[NOTHING]),
    "empty offsets of large lists": buffers_of(
        pa.large_list(pa.int8()), [None, EMPTY], children=[NOTHING]
    ),
    "empty offsets in a struct": buffers_of(
        pa.struct({"s": pa.string()}),
        [None],
        children=[buffers_of(pa.string(), [None, EMPTY, EMPTY])],
    ),
    "empty offsets in lists": buffers_of(
        pa.list_(pa.string()),
        [None, numbers(0, 0, 0)],
        2,
        children=[buffers_of(pa.string(), [None, EMPTY, EMPTY])],
    ),
    "no views": buffers_of(pa.string_view(), [None, EMPTY]),
    # With rows that take no bytes.
    "binary of no width": buffers_of(pa.binary(0), [None, EMPTY], 3),
    "lists of no width": buffers_of(pa.list_(pa.int8(), 0), [None], 3, children=[NOTHING]),
    "empty lists without items": buffers_of(
        pa.list_(pa.int8()),
        [None, numbers(0, 0, 0)],
        2,
        children=[buffers_of(pa.int8(), [None, None])],
    ),
    # Nulls that nobody counted, and validity where there are none.
    "nulls not counted": buffers_of(pa.int32(), [bits(True, False, True), numbers(1, 2, 3)], 3),
    "no nulls, not counted": buffers_of(pa.int32(), [None, numbers(1, 2, 3)], 3, null_count=-1),
    "no nulls, counted": buffers_of(pa.int32(), [None, numbers(1, 2, 3)], 3, null_count=0),
    "all valid bits": buffers_of(pa.int32(), [bits(*[True] * 3), numbers(1, 2, 3)], 3),
    "all null": buffers_of(pa.int32(), [bits(*[False] * 3), numbers(1, 2, 3)], 3, null_count=3),
    "null array by offset": pa.nulls(8).slice(3),
    # Offsets, at the top and below.
    "bits by offset": pa.array([True, None, False] * 7).slice(9, 11),
    "offsets that begin late": buffers_of(
        pa.string(), [None, numbers(4, 7, 10), pa.py_buffer(b"zeroonetwo")], 2
    ),
    "struct by offset": buffers_of(
        pa.struct({"n": pa.int32(), "s": pa.string()}),
        [bits(False, True, True, False)],
        2,
        offset=1,
        children=[pa.array([9, 1, 2, 3, 4], pa.int32()).slice(1), WORDS],
    ),
    "struct shorter than its children": buffers_of(
        pa.struct({"s": pa.string()}), [None], 2, children=[WORDS]
    ),
    "lists by offset": buffers_of(
        pa.list_(pa.string()), [None, numbers(0, 1, 3, 4)], 2, offset=1, children=[WORDS]
    ),
    "lists of slices": pa.ListArray.from_arrays([0, 1, 3], WORDS.slice(1)),
    "lists that skip items": buffers_of(
        pa.list_(pa.string()), [None, numbers(1, 2, 3)], 2, children=[WORDS]
    ),
    "null lists with items": buffers_of(
        pa.list_(pa.string()), [bits(True, False), numbers(0, 1, 4)], 2, children=[WORDS]
    ),
    "fixed size lists by offset": pa.FixedSizeListArray.from_arrays(WORDS, 2).slice(1),
    "fixed size lists of slices": pa.FixedSizeListArray.from_arrays(WORDS.slice(2), 1),
    "list views by offset": pa.ListViewArray.from_arrays([2, 0, 1], [1, 2, 0], WORDS).slice(1),
    "map by offset": pa.array(
        [[("a", 1)], [], [("b", 2), ("c", None)]], pa.map_(pa.string(), pa.int8())
    ).slice(1),
    "dictionary by offset": pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 3]), WORDS).slice(
        1
    ),
    "dictionary of a slice": pa.DictionaryArray.from_arrays(
        pa.array([0, None, 1], pa.uint8()), WORDS.slice(2)
    ),
    "dictionary without values": pa.DictionaryArray.from_arrays(
        pa.array([None, None], pa.int8()), pa.array([], pa.string())
    ),
    "runs by offset": RUNS.slice(4, 6),
    "runs, the end of one": RUNS.slice(1, 1),
    "sparse union by offset": pa.UnionArray.from_sparse(
        UNION_IDS, [pa.array(range(8)), pa.array(list("abcdefgh"))]
    ).slice(3, 4),
    "sparse union of slices": pa.UnionArray.from_sparse(
        UNION_IDS, [pa.array(range(10)).slice(2), pa.array(list("xabcdefgh")).slice(1)]
    ),
    "dense union by offset": pa.UnionArray.from_dense(
        UNION_IDS,
        pa.array([i // 2 for i in range(8)], pa.int32()),
        [pa.array(range(5)).slice(1), pa.array(list("abcd"))],
    ).slice(3, 4),
    "views by offset": pa.array(["a text that is too long to be inside " * 2, "b", None] * 3)
    .cast(pa.string_view())
    .slice(2, 5),
    "struct of struct, by offset twice": pa.StructArray.from_arrays(
        [pa.array([{"a": i, "b": str(i)} for i in range(9)]).slice(4)], ["s"]
    ).slice(2, 2),
}
