"""What other programs read of a sealed segment beside its batches, which has no checksum: its two ends."""

from pathlib import Path

from respool._cli.checks import sections
from respool._cli.checks.found import Damage

_MAGIC = b"ARROW1\0\0"
_NEXT = b"\xff\xff\xff\xff"
_END = _NEXT + bytes(4)
_SCHEMA = 1


def schema_of(manifest: Path) -> bytes:
    """Return the message with the schema, as the manifest has it.

    Raises
    ------
    ValueError
        If the manifest is damaged.
    """
    for kind, _, inside in sections.sections(manifest.read_bytes()):
        if kind == _SCHEMA:
            return inside
    raise ValueError(sections.HEADER, "it has no schema")


def damage(file: Path, rows: list[int], schema: bytes, *, is_stream: bool) -> Damage | None:
    """Return what is wrong with the ends of a segment.

    Parameters
    ----------
    file
        The segment. If it is not there, or has its first name still, its batches say so.
    rows
        Of each batch, as the index says.
    schema
        As the manifest has it.
    is_stream
        Whether it has the layout of streams.
    """
    if not file.exists():
        return None
    begin = 0 if is_stream else len(_MAGIC)
    with file.open("rb") as content:
        # A message is padded up to a place in its file.
        head = content.read(begin + len(schema) + 64)
        content.seek(-min(len(_END), file.stat().st_size), 2)
        tail = content.read()
    if head[:begin] != _MAGIC[:begin]:
        return Damage(file, 0, "it does not begin with the magic bytes")
    if not _is_schema(head[begin:], schema, begin):
        return Damage(file, begin, "its schema is not that of the log")
    if is_stream:
        end = file.stat().st_size - len(_END)
        return None if tail == _END else Damage(file, end, "it does not end with the end marker")
    return _of_footer(file, rows, schema)


def _is_schema(found: bytes, schema: bytes, begin: int) -> bool:
    """Tell whether a message is the schema; how far it is padded depends on where it is."""
    length = int.from_bytes(found[4:8], "little")
    if found[:4] != _NEXT or 8 + length > len(found) or (begin + 8 + length) % 64:
        return False
    return found[8 : 8 + length].rstrip(b"\0") == schema[8:].rstrip(b"\0")


def _of_footer(file: Path, rows: list[int], schema: bytes) -> Damage | None:
    # Loaded when something is verified, not for a shell that completes.
    import pyarrow as pa  # noqa: PLC0415

    # Of no column: the rows are in the metadata.
    options = pa.ipc.IpcReadOptions(included_fields=[])
    try:
        wanted = pa.ipc.read_schema(pa.py_buffer(schema))
        with pa.memory_map(str(file)) as content:
            if not pa.ipc.open_file(content).schema.equals(wanted, check_metadata=True):
                return Damage(file, None, "other programs find another schema in its footer")
            opened = pa.ipc.open_file(content, options=options)
            found = [opened.get_batch(i).num_rows for i in range(opened.num_record_batches)]
    except (OSError, ValueError, pa.ArrowException) as error:
        return Damage(file, None, f"other programs can't read it by its footer: {error}")
    if found != rows:
        return Damage(file, None, "other programs find other batches by its footer")
    return None
