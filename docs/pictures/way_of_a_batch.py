"""Draw the way of a batch, from the source to its readers: docs/pictures/way_of_a_batch.svg.

    python docs/pictures/way_of_a_batch.py

The colours are those of the page that it is put into, and by itself those of the reader's system.
"""

from pathlib import Path

WIDTH, HEIGHT = 760, 352
STYLE = """
  svg.way { --ink: #24292f; --soft: #57606a; --box: #f6f8fa; --line: #8c959f; --ours: #dbeafe; --edge: #2563eb; }
  @media (prefers-color-scheme: dark) {
    svg.way { --ink: #e6edf3; --soft: #9aa4af; --box: #21262d; --line: #6e7681; --ours: #14284b; --edge: #6ea8fe; }
  }
  body[data-theme="light"] svg.way { --ink: #24292f; --soft: #57606a; --box: #f6f8fa; --line: #8c959f;
    --ours: #dbeafe; --edge: #2563eb; }
  body[data-theme="dark"] svg.way { --ink: #e6edf3; --soft: #9aa4af; --box: #21262d; --line: #6e7681;
    --ours: #14284b; --edge: #6ea8fe; }
  .way text { fill: var(--ink); font: 14px system-ui, sans-serif; text-anchor: middle; }
  .way text.soft { fill: var(--soft); font-size: 12px; }
  .way rect { fill: var(--box); stroke: var(--line); rx: 8; }
  .way rect.ours { fill: var(--ours); stroke: var(--edge); }
  .way rect.around { fill: none; stroke: var(--edge); stroke-dasharray: 5 4; }
  .way path { fill: none; stroke: var(--line); stroke-width: 1.6; marker-end: url(#way-tip); }
  .way #way-tip path { fill: var(--line); stroke: none; marker-end: none; }
"""


def box(x: int, y: int, wide: int, high: int, title: str, *under: str, kind: str = "theirs") -> str:
    middle = x + wide / 2
    top = y + high / 2 + 5 - 10 * len(under)
    lines = [
        f'<rect class="{kind}" x="{x}" y="{y}" width="{wide}" height="{high}"/>',
        f'<text x="{middle}" y="{top}">{title}</text>',
    ]
    for number, line in enumerate(under, 1):
        lines.append(f'<text class="soft" x="{middle}" y="{top + 18 * number}">{line}</text>')
    return "\n".join(lines)


def arrow(*points: tuple[int, int]) -> str:
    (x, y), *rest = points
    return f'<path d="M{x},{y} ' + " ".join(f"L{a},{b}" for a, b in rest) + '"/>'


def label(x: int, y: int, text: str) -> str:
    return f'<text class="soft" x="{x}" y="{y}">{text}</text>'


def picture() -> str:
    readers = ["DuckDB", "Polars", "pyarrow", "plain Python"]
    parts = [
        box(5, 130, 140, 80, "source", "Flight, ADBC, HTTP,", "a pipe, a generator"),
        '<rect x="185" y="15" width="370" height="310" class="around"/>',
        label(370, 38, "cache"),
        box(200, 130, 105, 80, "slots", "batch 0, 1, 2, ...", kind="ours"),
        box(380, 60, 160, 80, "memory", "up to its bound,", "given without a copy", kind="ours"),
        box(380, 225, 160, 80, "log", "Arrow files,", "read through a map", kind="ours"),
        arrow((145, 170), (197, 170)),
        label(165, 160, "once"),
        arrow((305, 150), (377, 105)),
        arrow((305, 190), (377, 255)),
        arrow((460, 140), (460, 222)),
        label(505, 177, "what is"),
        label(505, 193, "too much"),
    ]
    for number, name in enumerate(readers):
        y = 30 + number * 77
        parts.append(box(650, y, 105, 48, name))
        parts.append(arrow((555, 170), (590, 170), (610, y + 24), (647, y + 24)))
    parts.append(label(610, 343, "each with a position of its own, as often as it likes"))
    about = (
        "A batch goes from the source, once, to memory and the log, and from there to every reader."
    )
    return (
        f'<svg class="picture way" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" role="img" aria-label="{about}">\n<style>{STYLE}</style>\n'
        '<defs><marker id="way-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0,0 L8,4 L0,8 Z"/></marker></defs>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(picture())
