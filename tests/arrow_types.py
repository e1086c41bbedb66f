"""One array of every Arrow type that this pyarrow can make: twelve values, some of them null."""

import decimal
from collections.abc import Callable

import pyarrow as pa

LENGTH = 12
NULLS = {2, 7, 11}


def _some(value: Callable[[int], object], kind: pa.DataType) -> pa.Array:
    return pa.array([None if i in NULLS else value(i) for i in range(LENGTH)], kind)


def _numbers() -> dict[str, pa.Array]:
    integers = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
    plain = [getattr(pa, name)() for name in [*integers, "float32", "float64"]]
    arrays = {str(kind): _some(lambda i: i * 3, kind) for kind in plain}
    arrays["float16"] = _some(float, pa.float32()).cast(pa.float16())
    arrays["bool"] = _some(lambda i: i % 3 == 0, pa.bool_())
    arrays["null"] = pa.nulls(LENGTH)
    for bits, digits in ((32, 9), (64, 18), (128, 38), (256, 76)):
        if hasattr(pa, f"decimal{bits}"):
            kind = getattr(pa, f"decimal{bits}")(digits, 2)
            arrays[str(kind)] = _some(lambda i: decimal.Decimal(i * 1001).scaleb(-2), kind)
    return arrays


def _times() -> dict[str, pa.Array]:
    kinds = [pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us")]
    kinds += [pa.time64("ns")]
    for unit in ("s", "ms", "us", "ns"):
        kinds += [pa.timestamp(unit), pa.timestamp(unit, "Europe/Berlin"), pa.duration(unit)]
    day = 86_400_000
    arrays = {}
    for kind in kinds:
        step = day if kind == pa.date64() else 1
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        arrays[str(kind)] = _some(lambda i, step=step: i * step, width).cast(kind)
    arrays["month_day_nano_interval"] = _some(
        lambda i: pa.MonthDayNano([i, 2 * i, 3 * i]), pa.month_day_nano_interval()
    )
    return arrays


def _bytes() -> dict[str, pa.Array]:
    long = "a value that is too long for a view to keep inside, number"
    kinds = (pa.string(), pa.large_string(), pa.string_view())
    arrays = {str(kind): _some(lambda i: f"{long} {i}"[i * 5 :], kind) for kind in kinds}
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        arrays[str(kind)] = _some(lambda i: f"{long} {i}".encode()[i * 5 :], kind)
    arrays["fixed_size_binary"] = _some(lambda i: bytes([i, 0, 255]), pa.binary(3))
    return arrays


def _nested() -> dict[str, pa.Array]:
    pair = pa.struct({"a": pa.int32(), "b": pa.string()})
    deep = pa.struct({"pair": pair, "many": pa.list_(pair)})
    arrays = {}
    for make in ("list_", "large_list", "list_view", "large_list_view"):
        kind = getattr(pa, make)(pa.int16())
        arrays[str(kind) + make] = _some(lambda i: [i] * (i % 4), kind)
    arrays["fixed_size_list"] = _some(lambda i: [i, -i], pa.list_(pa.int8(), 2))
    arrays["list of strings"] = _some(lambda i: [None, str(i)], pa.list_(pa.string_view()))
    arrays["struct"] = _some(lambda i: {"a": i, "b": str(i)}, pair)
    arrays["struct of struct"] = _some(
        lambda i: {"pair": {"a": i, "b": None}, "many": [{"a": i, "b": "x"}] * (i % 3)}, deep
    )
    arrays["empty struct"] = _some(lambda _: {}, pa.struct([]))
    arrays["map"] = _some(lambda i: [("k", i), ("l", None)], pa.map_(pa.string(), pa.int64()))
    return arrays


def _encoded() -> dict[str, pa.Array]:
    words = _some(lambda i: f"word {i % 3}", pa.string())
    arrays = {"dictionary": words.dictionary_encode()}
    arrays["dictionary, int8"] = words.cast(pa.dictionary(pa.int8(), pa.large_string()))
    arrays["dictionary with a null value"] = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None, 1] * 3, pa.int32()), pa.array(["a", None])
    )
    arrays["list of dictionaries"] = pa.ListArray.from_arrays(
        pa.array(range(LENGTH + 1), pa.int32()), words.dictionary_encode()
    )
    arrays["run_end_encoded"] = pa.RunEndEncodedArray.from_arrays(
        pa.array([3, 5, LENGTH], pa.int32()), pa.array(["a", None, "b"])
    )
    types = pa.array([0, 1] * (LENGTH // 2), pa.int8())
    numbers, texts = pa.array(range(LENGTH)), pa.array([str(i) for i in range(LENGTH)])
    arrays["sparse union"] = pa.UnionArray.from_sparse(types, [numbers, texts], ["n", "s"])
    offsets = pa.array([i // 2 for i in range(LENGTH)], pa.int32())
    arrays["dense union"] = pa.UnionArray.from_dense(types, offsets, [numbers, texts], ["n", "s"])
    return arrays


class Celsius(pa.ExtensionType):
    """An extension type that only these tests know."""

    def __init__(self) -> None:
        super().__init__(pa.float32(), "respool.tests.celsius")

    def __arrow_ext_serialize__(self) -> bytes:
        return b"degrees"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> "Celsius":
        return cls()


pa.register_extension_type(Celsius())


def _extensions() -> dict[str, pa.Array]:
    storage = _some(float, pa.float32())
    arrays = {"extension": pa.ExtensionArray.from_storage(Celsius(), storage)}
    arrays["uuid"] = pa.ExtensionArray.from_storage(
        pa.uuid(), _some(lambda i: bytes([i] * 16), pa.binary(16))
    )
    return arrays


ARRAYS: dict[str, pa.Array] = {
    **_numbers(),
    **_times(),
    **_bytes(),
    **_nested(),
    **_encoded(),
    **_extensions(),
}
