"""Write ``docs/performance.md`` and its pictures from what was measured last: ``python benchmarks/page.py``.

The table of ``docs/when-not.md`` is written with them.

What stands between two marks of a subject in the page is written here; the words around it are not.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from figures import figures

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "performance.md"
WHEN_NOT = DOCS / "when-not.md"
RESULTS = DOCS / "performance" / "results.json"
OURS, PEER = "#2f6fde", "#9aa3ad"
MARK = re.compile(r"<!-- begin (\w+) -->.*?<!-- end \1 -->", re.DOTALL)


def load() -> dict[str, dict]:
    """What was measured of each subject when it was last run."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def write(kept: dict[str, dict]) -> None:
    """Keep it, draw it, and bring the page up to date."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")

    def block(mark: re.Match[str]) -> str:
        subject = mark[1]
        shown = part(subject, kept[subject]) if subject in kept else "Not run yet."
        return f"<!-- begin {subject} -->\n{shown}\n<!-- end {subject} -->"

    PAGE.write_text(MARK.sub(block, PAGE.read_text()))
    table = f"<!-- begin figures -->\n{figures(kept)}\n<!-- end figures -->"
    WHEN_NOT.write_text(MARK.sub(lambda _: table, WHEN_NOT.read_text()))


def part(subject: str, run: dict) -> str:
    """One subject: its pictures, its tables as they were printed, and where that was."""
    pictures = []
    for number, measured in enumerate(run["measured"]):
        name = f"{subject}_{number}.png"
        draw(RESULTS.parent / name, measured)
        pictures.append(f"![{measured['title']}](performance/{name})")
    where = f"`benchmarks/run.py {subject}`, {run['date']}, {run['machine']}; {run['versions']}"
    return "\n\n".join([*pictures, f"```text\n{run['printed']}\n```", where])


def draw(path: Path, measured: dict) -> None:
    """Draw a bar for each contender, the fastest on top; the line in it is the median."""
    # Here, so that who only runs a subject needs no plots.
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    bars = sorted(measured["seconds"].items(), key=lambda bar: bar[1][0], reverse=True)
    scale = {"ms": 1e3, "us": 1e6}[measured["unit"]]
    best = [times[0] * scale for _, times in bars]
    colours = [PEER if is_peer(name) else OURS for name, _ in bars]
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.26 * len(bars)), layout="constrained")
    axes.barh([name for name, _ in bars], best, color=colours, height=0.7)
    for place, (_, times) in enumerate(bars):
        axes.plot([times[1] * scale] * 2, [place - 0.35, place + 0.35], color="black", linewidth=1)
    for place, (value, (_, times)) in enumerate(zip(best, bars, strict=True)):
        axes.text(times[1] * scale, place, f"  {value:.3g}", va="center", fontsize=8)
    if min(best) > 0 and max(best) / min(best) > 50:
        axes.set_xscale("log")
    axes.set_title(measured["title"], fontsize=10, loc="left")
    axes.set_xlabel(f"{measured['unit']}, best (line: median)", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


PEERS = (
    "batchcorder", "pa.Table", "pyarrow", "polars", "ipc", "parquet", "duckdb", "native", "arrow",
    "dataframe", "scan_ipc", "hugging", "write()", "stream", "bare", "read_datasource",
    "numpy", "hf datasets", "mosaicml",
)  # fmt: skip


def is_peer(name: str) -> bool:
    """Tell a peer's bar from one of ours, by its last word or its first."""
    lowered = name.lower()
    return "respool" not in lowered and any(peer.lower() in lowered for peer in PEERS)


if __name__ == "__main__":
    write(load())
