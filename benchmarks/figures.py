"""The table of docs/when-not.md, from what was measured of the subjects `compared` and `choices`."""

from __future__ import annotations

import re

# What a row is called in each subject; in `choices` Polars has names of its own.
ROWS = {
    "respool, memory": ("respool, memory", "respool, memory", "respool, memory"),
    "respool, log": ("respool, log", "respool, log", "respool, log"),
    "`pa.Table` of `read_all`": ("pa.Table", "pa.Table", "pl.DataFrame"),
    "DuckDB temporary table": ("DuckDB, temporary table", "DuckDB, temporary table", None),
    "Parquet": ("Parquet", "Parquet", "pl.scan_parquet"),
    "Arrow file, `scan_ipc`": ("IPC file, mapped", None, "pl.scan_ipc"),
}
# The title of a column, the subject, its number there, and which of a row's names counts.
COLUMNS = [
    ("first rows of a slow source", "compared", 0, 0),
    ("taken in", "compared", 1, 0),
    ("read again", "compared", 2, 0),
    ("an aggregate, DuckDB", "compared", 3, 0),
    ("10,000 rows, DuckDB", "choices", 0, 1),
    ("10,000 rows, Polars", "choices", 1, 2),
]
ON_DISK = {
    "respool, memory": "",
    "respool, log": "respool, log",
    "Parquet": "Parquet",
    "Arrow file, `scan_ipc`": "Arrow file",
}


def figures(kept: dict[str, dict]) -> str:
    """Milliseconds of each way to keep a stream, and the megabytes that it takes on the disk."""
    columns = [column for column in COLUMNS if column[1] in kept]
    if not columns:
        return "Not run yet."
    printed = kept.get("choices", {}).get("printed", "")
    sizes = dict(re.findall(r"^(\S.*?) {2,}(\d+)$", printed, re.MULTILINE))
    titles = ["", *(title for title, *_ in columns), *(["on the disk"] if sizes else [])]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for row, names in ROWS.items():
        cells = [row]
        for _, subject, number, which in columns:
            times = kept[subject]["measured"][number]["seconds"].get(names[which])
            cells.append(shown(times[0] * 1e3) if times else "")
        if sizes:
            size = sizes.get(ON_DISK.get(row, ""))
            cells.append(f"{size} MB" if size else "")
        lines.append("| " + " | ".join(cells) + " |")
    run = kept[columns[-1][1]]
    where = f"{run['machine']}; {run['versions']}"
    return "\n".join([*lines, "", f"Milliseconds, the best of some rounds, on {where}."])


def shown(milliseconds: float) -> str:
    """Write two digits that count, or all before the point."""
    return f"{milliseconds:,.0f}" if milliseconds >= 10 else f"{milliseconds:.1f}"
