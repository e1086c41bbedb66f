"""Write into the how-to of the command what it really prints.

Every line ``$ respool ...`` of a ``console`` block of docs/how-to/command.md is run on the logs of tests/states.py,
in 80 columns, and what stands below it is replaced by what it printed. ``tests/test_cli_docs.py`` does the same,
and fails where the page says anything else. Run it with ``python docs/command.py``.
"""

import contextlib
import io
import os
import re
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

import respool
from respool._cli.app import run

HERE = Path(__file__).parent
PAGE = HERE / "how-to" / "command.md"
sys.path.insert(0, str(HERE.parent / "tests"))

import processes  # noqa: E402
import states  # noqa: E402

_ROOT = "/home/me/.cache/respool"
_WORK = "/home/me/projects"
_LOCK = b"process 4711\nhost laptop\nsince 2026-11-27T08:30:00Z\n"
_BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_VARIES = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "2026-11-27 08:30:00 UTC"),
    (re.compile(r"(?<=in use by   process )\d+"), "4711"),
    (re.compile(r"(?<=in use by process )\d+"), "4711"),
)


@contextlib.contextmanager
def scene() -> Iterator[Path]:
    """Make a directory with a name in each state, and go to one with a log that has none."""
    # As long as what is printed in its place, so that lines end where they would.
    root = Path("/var/tmp") / secrets.token_hex(20)[: len(_ROOT) - len("/var/tmp/")]  # noqa: S108
    root.mkdir(0o700)
    before, columns = Path.cwd(), os.environ.get("COLUMNS")
    work = root.with_name(root.name[: len(_WORK) - len("/var/tmp/")])  # noqa: S108
    work.mkdir(0o700)
    os.chdir(work)
    os.environ.update(RESPOOL_CACHE_DIR=str(root), COLUMNS="80")
    child = states.growing(root)
    try:
        states.complete(root)
        states.abandoned(root)
        states.failed(root)
        states.damaged(root)
        fares = pa.table({"id": [1, 2, 3], "tip": [1.5, None, 2.0]}).to_reader()
        with respool.cache(fares, path="fares") as cache:
            cache.ingest_all()
        for one in [*respool.ls(), Path("fares")]:
            (getattr(one, "path", one) / "_lock").write_bytes(_LOCK)
        with processes.killed_at_the_end(child):
            yield root
    finally:
        os.chdir(before)
        os.environ.pop("RESPOOL_CACHE_DIR")
        if columns is None:
            os.environ.pop("COLUMNS")
        else:
            os.environ["COLUMNS"] = columns
        shutil.rmtree(root)
        shutil.rmtree(work)


def printed(words: list[str]) -> tuple[int, str]:
    """Run the command, and return its exit code and what it prints on both streams."""
    both = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
        code = run(words)
        both.flush()
    return code, both.buffer.getvalue().decode()


def rendered(page: str) -> str:
    """Return the page with what the command prints now."""
    with scene() as root:
        code = 0

        def block(found: re.Match[str]) -> str:
            nonlocal code
            lines = []
            for line in found[0].splitlines():
                if line == "$ echo $?":
                    lines += [line, str(code)]
                elif line.startswith("$ respool "):
                    code, out = printed(shlex.split(line.removeprefix("$ respool ")))
                    lines += [*([""] if lines else []), line]
                    lines += [out.rstrip("\n")] if out else []
            text = "\n".join(lines) + "\n"
            for path, shown in ((root, _ROOT), (Path.cwd(), _WORK)):
                text = text.replace(str(path), shown)
            for varies, fixed in _VARIES:
                text = varies.sub(fixed, text)
            return text

        return _BLOCK.sub(block, page)


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
