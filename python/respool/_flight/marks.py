"""What stands between the batches of a stream: where it is, and how it ended.

The first batch of every stream is empty and no data: it brings the dictionaries of the schema, without which a later
one could not be read. A mark is an empty batch with these few words as its `app_metadata`. A stream that ends
without its last mark was cut short.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa

How = Literal["range", "end", "wait"]


@dataclass(frozen=True)
class Mark:
    """`next` is the number of the batch that comes next, as in the log.

    `how` is None between batches, `"range"` where the ticket ends, `"end"` where the source did, and
    `"wait"` where nothing came for some time: the rest is to be asked for. `batches` and `rows` are those of
    this stream up to here.
    """

    next: int
    how: How | None
    batches: int
    rows: int

    def encode(self) -> bytes:
        """Return it as `app_metadata`."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()


def decode(given: bytes) -> Mark:
    """Read a mark.

    Raises
    ------
    ValueError
        If it is none.
    """
    form: Any = json.loads(given)
    numbers = [form["next"], form["batches"], form["rows"]] if isinstance(form, dict) else [None]
    if any(type(number) is not int for number in numbers):
        raise ValueError("not a mark of respool")
    return Mark(form["next"], form["how"], form["batches"], form["rows"])


def empty(schema: pa.Schema) -> pa.RecordBatch:
    """Make a batch of no rows, of whatever types."""
    arrays: list[Any] = [pa.nulls(0, field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
