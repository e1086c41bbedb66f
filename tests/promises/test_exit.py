"""Ending the interpreter in the middle of something is no worse with us than without us.

Programs end while daemon threads read and ask, with unfinished generators, half-read C streams in globals,
a cache registered with DuckDB's default connection, unfinished queries of DuckDB and Polars, a cache in a
reference cycle, and exit handlers that read. The worst exit of many runs is compared with the worst of a
control: the same consumer over a plain pyarrow reader or generator.

Not promised: a clean exit where the control has none. Python ends threads that come back to it in the middle
of an engine's code, and some engines abort over that; so does a daemon thread that is in the Python code of a
source for more than two seconds after the end began.
"""

import pytest

from promises import children
from promises.exits import PRELUDE, PROGRAMS

TOO_LONG = 30
CLEAN, ERROR, KILLED, HUNG = range(4)


def badness(ended: children.Ended) -> int:
    if ended.code is None:
        return HUNG
    return KILLED if ended.code < 0 else ERROR if ended.code else CLEAN


def run(program: str, whose: str, log_dir: object) -> children.Ended:
    return children.run("-c", PRELUDE + PROGRAMS[program], whose, log_dir, timeout=TOO_LONG)


def worst_control(program: str, ours: int, runs: int, log_dir: object) -> int:
    """How badly the control ends; it is run until that is as badly as we do, if it ever does."""
    worst = CLEAN
    for _ in range(runs):
        if worst >= ours:
            break
        worst = max(worst, badness(run(program, "control", log_dir)))
    return worst


@pytest.mark.timeout(900)
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_exit_is_no_worse_than_without_us(program, log_dir, long, figure):
    runs = 50 if long else 4
    ends = children.in_parallel(lambda _: run(program, "ours", log_dir), range(runs))
    worst = max(ends, key=badness)
    control = worst_control(program, badness(worst), max(runs, 20), log_dir)
    clean = sum(badness(end) == CLEAN for end in ends)
    worse = badness(worst) > control
    figure("exits", runs=runs, clean=clean, worse_than_the_control=0 if not worse else runs - clean)
    assert not worse, f"{runs - clean} of {runs}: {worst.told()}"
    assert list(log_dir.rglob("*")) == []
