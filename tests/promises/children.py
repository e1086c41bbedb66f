"""Children of the promises: run two at a time, and judged by how they ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parent.parent
AT_ONCE = 2


@dataclass(frozen=True)
class Ended:
    """How a child ended: ``code`` is None where it had to be killed, and negative after a signal."""

    code: int | None
    out: str
    err: str

    @property
    def how(self) -> str:
        if self.code is None:
            return "hang"
        return signal.Signals(-self.code).name if self.code < 0 else f"exit {self.code}"

    def told(self, lines: int = 40) -> str:
        """How it ended and the last that it said."""
        return "\n".join([self.how, *(self.out + self.err).splitlines()[-lines:]])


def environment() -> dict[str, str]:
    """The environment of a child that can import the helpers of the tests."""
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def run(*arguments: object, timeout: float, **options: object) -> Ended:
    """Run Python with ``arguments``, which can import the helpers of the tests, until it ends or is killed."""
    child = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", *map(str, arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        **options,
    )
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        return Ended(None, out, err)
    return Ended(child.returncode, out, err)


def in_parallel(work: Callable[[object], object], items: Iterable[object]) -> list[object]:
    """Do the work for each item, as many at once as two cores can bear."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, items))
