"""Arrays of any type, in every layout that the Arrow format allows: the same values, roughly laid out."""

import random
from collections.abc import Callable

import pyarrow as pa

LEAVES: list[tuple[pa.DataType, Callable[[random.Random], object]]] = [
    (pa.int64(), lambda r: r.randrange(-(2**63), 2**63)),
    (pa.int8(), lambda r: r.randrange(-128, 128)),
    (pa.bool_(), lambda r: r.random() < 0.5),
    (pa.float64(), lambda r: r.random()),
    (pa.string(), lambda r: "text " * r.randrange(6)),
    (pa.large_binary(), lambda r: r.randbytes(r.randrange(20))),
    (pa.string_view(), lambda r: "a longer text " * r.randrange(4)),
    (pa.binary(3), lambda r: r.randbytes(3)),
    (pa.decimal128(20, 0), lambda r: r.randrange(10**19)),
    (pa.null(), lambda r: None),
]
LISTS = [pa.list_, pa.large_list, lambda kind: pa.list_(kind, 2)]


def random_type(r: random.Random, depth: int) -> pa.DataType:
    """A type that is nested up to a depth."""
    if depth == 0 or r.random() < 0.2:
        return r.choice(LEAVES)[0]
    kind = r.randrange(3)
    if kind == 0:
        count = r.randrange(1, 4)
        return pa.struct([(f"f{i}", random_type(r, depth - 1)) for i in range(count)])
    if kind == 1:
        return pa.map_(pa.string(), random_type(r, depth - 1))
    return r.choice(LISTS)(random_type(r, depth - 1))


def random_value(r: random.Random, kind: pa.DataType, *, nullable: bool = True) -> object:
    """A value of a type, or None."""
    if nullable and r.random() < 0.2:
        return None
    if pa.types.is_struct(kind):
        return {field.name: random_value(r, field.type) for field in kind}
    if pa.types.is_map(kind):
        return [(f"key {i}", random_value(r, kind.item_type)) for i in range(r.randrange(3))]
    if pa.types.is_fixed_size_list(kind):
        return [random_value(r, kind.value_type) for _ in range(kind.list_size)]
    if pa.types.is_nested(kind):
        return [random_value(r, kind.value_type) for _ in range(r.randrange(4))]
    return next(make for leaf, make in LEAVES if leaf == kind)(r)


def random_array(r: random.Random, kind: pa.DataType, length: int) -> pa.Array:
    return pa.array([random_value(r, kind) for _ in range(length)], kind)


def _validity(r: random.Random, array: pa.Array, before: int) -> tuple[pa.Buffer | None, int]:
    """Validity bits behind some that nobody asks for, and how many nulls: perhaps nobody counted."""
    if array.null_count == 0:
        return None, r.choice([0, -1])
    bits = [r.random() < 0.5 for _ in range(before)] + array.is_valid().to_pylist()
    return pa.array(bits, pa.bool_()).buffers()[1], r.choice([array.null_count, -1])


def _padded(array: pa.Array, before: int, behind: int) -> pa.Array:
    nothing = [pa.nulls(count, array.type) for count in (before, behind)]
    return pa.concat_arrays([nothing[0], array, nothing[1]])


def rough(r: random.Random, array: pa.Array) -> pa.Array:
    """The same values with an offset of its own at every depth, and with the counts of nulls left out."""
    kind, length = array.type, len(array)
    before, behind = r.randrange(12), r.randrange(3)
    if pa.types.is_struct(kind):
        validity, nulls = _validity(r, array, before)
        children = [
            rough(r, _padded(array.field(i), before, behind)) for i in range(kind.num_fields)
        ]
        return pa.Array.from_buffers(kind, length, [validity], nulls, before, children)
    if pa.types.is_fixed_size_list(kind):
        validity, nulls = _validity(r, array, before)
        size = kind.list_size
        items = array.values.slice(array.offset * size, length * size)
        items = rough(r, _padded(items, before * size, behind * size))
        return pa.Array.from_buffers(kind, length, [validity], nulls, before, [items])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        validity, nulls = _validity(r, array, before)
        width = pa.int64() if pa.types.is_large_list(kind) else pa.int32()
        ends = array.offsets.to_pylist()
        shift = 0 if pa.types.is_map(kind) else r.randrange(5)  # no key of a map is null
        items = _entries(r, array, ends[0], ends[-1], shift)
        offsets = [shift] * before + [end - ends[0] + shift for end in ends]
        buffers = [validity, pa.array(offsets, width).buffers()[1]]
        return pa.Array.from_buffers(kind, length, buffers, nulls, before, [items])
    return _padded(array, before, behind).slice(before, length)


def _entries(r: random.Random, array: pa.Array, first: int, end: int, shift: int) -> pa.Array:
    """The items of lists, or the keys and items of maps, behind some that nobody asks for."""
    if not pa.types.is_map(array.type):
        return rough(r, _padded(array.values.slice(first, end - first), shift, 0))
    parts = [rough(r, part.slice(first, end - first)) for part in (array.keys, array.items)]
    return pa.StructArray.from_arrays(parts, fields=[array.type.key_field, array.type.item_field])
