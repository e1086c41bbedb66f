"""Nobody hangs: whatever two consumers do at once, over a source that needs the GIL or another cache.

Every source (Python generators, pyarrow, DuckDB, Polars, caches over caches) with every ordered pair of
consumers on two threads: engines, plain iteration, single batches, questions in a loop, readers that are
dropped, and `close`. A watchdog in each child prints all stacks. Sums are compared with the truth; after
`close` an error that says so will do, a wrong sum never.

Not promised: that an engine's own pool has threads left, where several queries that wait for each other
run on it; an error in place of a wait, where a source reads its own cache on another thread, or two caches
read each other: Ctrl-C ends that.
"""

import itertools

import pytest

from promises import children
from promises.hang_child import TOO_LONG
from promises.hang_consumers import CONSUMERS
from promises.hang_sources import SOURCES

NAMES = list(CONSUMERS)
# Every consumer is first twice and second twice.
SAMPLE = [(name, NAMES[(i + k) % len(NAMES)]) for k in (1, 5) for i, name in enumerate(NAMES)]


def run_pairs(source: str, pairs: list[tuple[str, str]], log_dir: object) -> dict[str, list[str]]:
    """Run the pairs in one child after another, each going on behind the pair that killed the last."""
    faults = {"hangs": [], "aborts": [], "wrong sums": []}
    while pairs:
        arguments = [",".join(pair) for pair in pairs]
        allowed = 10 + 3 * TOO_LONG + 2 * len(pairs)
        ended = children.run(
            "-m", "promises.hang_child", log_dir, source, *arguments, timeout=allowed
        )
        lines = ended.out.splitlines()
        begun = [line for line in lines if line.startswith("begin ")]
        for begin, line in itertools.pairwise(lines):
            if line.startswith("wrong "):
                faults["wrong sums"].append(f"{source}: {begin} {line}")
        if ended.code != 0:
            hung = ended.code is None or "Timeout (" in ended.err
            last = begun[-1] if begun else "before the first pair"
            fault = f"{source}: {last}: {ended.told()}"
            faults["hangs" if hung else "aborts"].append(fault)
        elif len(begun) != len(pairs):
            faults["aborts"].append(f"{source}: a clean exit after {len(begun)} pairs")
        pairs = pairs[max(1, len(begun)) :]
    return faults


@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", SOURCES)
def test_any_two_consumers_over(source, log_dir, long, figure):
    groups = [SAMPLE[0::2], SAMPLE[1::2]]
    if long:
        groups = [[(first, second) for second in NAMES] for first in NAMES]
    found = children.in_parallel(lambda pairs: run_pairs(source, pairs, log_dir), groups)
    faults = {kind: [it for faults in found for it in faults[kind]] for kind in found[0]}
    figure("pairs", runs=sum(map(len, groups)), **{kind: len(f) for kind, f in faults.items()})
    told = list(itertools.chain(*faults.values()))
    if told:
        pytest.fail(f"{len(told)} of {sum(map(len, groups))} runs\n" + "\n\n".join(told[:3]), False)
