"""The zone maps that are kept beside a log: the least and the greatest value of each column.

They are bytes that the engine writes for itself, in a form with a version; of another version nothing is told.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from respool._cli.checks import sections
from respool._cli.rows import times

_VERSION = 1
_NOTHING = 255
_EXACT = Context(prec=80)


@dataclass(frozen=True)
class Zone:
    """What is known of a column of a batch, or of several.

    Attributes
    ----------
    rows, nulls
        How many there are.
    least, greatest
        What no value is below or above; None if there are none, or nothing is known.
    is_exact
        Whether these are values, and not what is a bit wider.
    """

    rows: int
    nulls: int
    least: Any = None
    greatest: Any = None
    is_exact: bool = True


class _Rest:
    """Bytes that are taken one after the other; one too many is an error of ``struct``."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, layout: str) -> Any:  # noqa: ANN401
        (value,) = struct.unpack_from(f"<{layout}", self._content, self._at)
        self._at += struct.calcsize(f"<{layout}")
        return value

    def sized(self) -> bytes:
        length = self.take("I")
        return bytes(self.take(f"{length}s"))

    def __bool__(self) -> bool:
        return self._at < len(self._content)


def read(log: Path, column: int, batches: int) -> Zone | None:
    """Return what the zone maps of a column say of the whole log; None if there are none for all of it."""
    with suppress(OSError, ValueError, struct.error):
        content = (log / f"_zones.{column}").read_bytes()
        if sections.header_damage(content) is None:
            ((_, _, inside),) = sections.sections(content)
            found = list(_zones(_Rest(inside), column))
            return _together(found) if len(found) == batches else None
    return None


def _zones(rest: _Rest, column: int) -> Iterator[Zone]:
    """Yield the zones of the column itself, not those of its fields.

    Raises
    ------
    ValueError
        If it is of another version, or nothing is known of a batch.
    """
    if rest.take("B") != _VERSION or rest.take("I") != column:
        raise ValueError
    while rest:
        path = [rest.take("I") for _ in range(rest.take("I"))]
        for _ in range(rest.take("Q")):
            zone = _zone(rest)
            if not path:
                yield zone


def _zone(rest: _Rest) -> Zone:
    kind = rest.take("B")
    if kind == _NOTHING:
        raise ValueError
    rows, nulls, _ = rest.take("Q"), rest.take("Q"), rest.take("?")
    match kind:
        case 1:
            return Zone(rows, nulls)
        case 2:
            return Zone(rows, nulls, rest.take("q"), rest.take("q"))
        case 3:
            low, high = (int.from_bytes(rest.take("32s"), "little", signed=True) for _ in range(2))
            return Zone(rows, nulls, low, high)
        case 4:
            return Zone(rows, nulls, rest.take("d"), rest.take("d"))
        case 5:
            least, has_greatest, greatest = rest.sized(), rest.take("?"), rest.sized()
            if not has_greatest:
                raise ValueError
            return Zone(rows, nulls, least, greatest, rest.take("?"))
        case _:
            raise ValueError


def _together(zones: list[Zone]) -> Zone:
    known = [zone for zone in zones if zone.least is not None]
    return Zone(
        sum(zone.rows for zone in zones),
        sum(zone.nulls for zone in zones),
        min((zone.least for zone in known), default=None),
        max((zone.greatest for zone in known), default=None),
        all(zone.is_exact for zone in known),
    )


def written(value: object, kind: pa.DataType) -> str:
    """Return a bound as a value of its column is written."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if value is None:
        return ""
    if isinstance(value, bytes):
        is_text = (
            pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()
        )
        return value.decode(errors="replace") if is_text else value.hex()
    if isinstance(value, int):
        return _of_integer(value, kind)
    return str(value)


def _of_integer(value: int, kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return str(bool(value)).lower()
    if pa.types.is_decimal(kind):
        return f"{Decimal(value).scaleb(-kind.scale, _EXACT):f}"
    if pa.types.is_temporal(kind):
        with suppress(pa.ArrowException, OverflowError, NotImplementedError):
            stored = pa.array([value], pa.int32() if kind.bit_width == 32 else pa.int64())  # noqa: PLR2004
            return str(times.iso(stored.view(kind))[0])
    return str(value)
