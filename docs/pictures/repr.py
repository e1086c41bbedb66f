"""Take the picture of what a notebook shows of a cache, in light and in dark: docs/pictures/repr.png.

    .venv/bin/python docs/pictures/repr.py

needs Chromium (``apt-get install chromium``). ``--pages DIRECTORY`` leaves the pages for other browsers instead.
"""

import argparse
import html
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

import respool

HERE = Path(__file__).parent
ROWS = 20_000
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        pa.field("at", pa.timestamp("s"), nullable=False),
        ("amount", pa.decimal64(12, 2)),
        ("note", pa.string()),
        ("where", pa.struct([("lat", pa.float32()), ("lon", pa.float32())])),
    ]
)


def batches(count: int) -> Iterator[pa.RecordBatch]:
    random = np.random.default_rng(7)
    for i in range(count):
        ids = np.arange(i * ROWS, (i + 1) * ROWS)
        lat, lon = (pa.array(random.random(ROWS, dtype=np.float32)) for _ in range(2))
        where = pa.StructArray.from_arrays([lat, lon], ["lat", "lon"])
        amount = pa.array(ids * 7 % 100_000).cast(pa.decimal128(19, 0)).cast(pa.decimal64(12, 2))
        note = pa.array(["paid" if n % 3 else None for n in range(ROWS)])
        at = pa.array(ids + 1_780_000_000).cast(pa.timestamp("s"))
        yield pa.record_batch([pa.array(ids), at, amount, note, where], schema=SCHEMA)


def shown() -> str:
    """What a notebook would show of a cache that is being filled, half of it in the log."""
    with respool.cache(batches(60), schema=SCHEMA, memory="14 MiB", disk="1 GiB") as cache:
        for _, _ in zip(range(40), cache, strict=False):
            pass
        return cache._repr_html_()


def page(body: str, theme: str) -> str:
    background = "#ffffff" if theme == "light" else "#0d1117"
    return (
        f"<!doctype html><html data-theme='{theme}'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<body style='margin:12px;background:{background}'>{body}</body></html>"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pages", type=Path)
    pages = arguments.parse_args().pages
    body = shown()
    if pages is not None:
        for theme in ("light", "dark"):
            (pages / f"{theme}.html").write_text(page(body, theme))
        return
    frames = "".join(
        f"<iframe style='border:0;width:640px;height:600px' srcdoc='{html.escape(page(body, theme), quote=True)}'>"
        "</iframe>"
        for theme in ("light", "dark")
    )
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise SystemExit("nothing was drawn: there is no chromium (apt-get install chromium)")
    with tempfile.TemporaryDirectory() as directory:
        both = Path(directory) / "both.html"
        both.write_text(f"<!doctype html><body style='margin:0;display:flex'>{frames}</body>")
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--window-size=1280,600",
        ]
        picture = HERE / "repr.png"
        subprocess.run([*command, f"--screenshot={picture}", both.as_uri()], check=True)


if __name__ == "__main__":
    main()
