"""A forked child never waits for a lock that nobody holds, and its parent never notices it.

A process forks while its threads pull, spill, read and ask. Each child uses every public name of cache,
view and reader, found by looking, and drops them: each call answers or raises a RuntimeError that says
`fork`. An alarm ends what waits. Then the parent reads its rows once more.

Not promised: that engines work in a forked child; Polars and DuckDB do not, whatever they read.
"""

from collections import Counter

import pytest

from promises import children

FORKS = {"short": 10, "long": 100}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["iterable", "stream", "read ahead"])
def test_children_of_a_process_whose_threads_read(kind, log_dir, long, figure):
    forks = FORKS["long" if long else "short"]
    ended = children.run("-m", "promises.fork_child", log_dir, kind, forks, timeout=20 + 10 * forks)
    *answers, last = ended.out.splitlines() or [""]
    if ended.code != 0:
        answers.append(last)
    counts = Counter(answer.split(maxsplit=1)[0] for answer in answers if answer)
    figure(
        "forks",
        forks=len(answers),
        hangs=counts["hang"],
        aborts=counts["abort"],
        wrong=counts["WRONG"],
    )
    faults = Counter(answer for answer in answers if answer != "right")
    told = "\n".join(f"{count} x {fault}" for fault, count in faults.most_common(10))
    if faults:
        pytest.fail(f"{sum(faults.values())} of {forks}\n{told}\n{ended.err[-2000:]}", False)
    assert (ended.code, last, len(answers)) == (0, "unharmed", forks), ended.told()
