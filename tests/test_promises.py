"""docs/promises.md says what the tests in tests/promises say of themselves."""

import pytest

from promises.figures import Figures
from promises.table import DOCUMENT, NO_RUN, Table, promise_of
from promises.table import HERE as PROMISES


def test_the_table_is_what_the_docstrings_say():
    table = Table.read(DOCUMENT, PROMISES)
    assert len(table.promises) >= 7
    assert set(table.figures) == set(table.promises)
    assert str(table) == DOCUMENT.read_text(), "write it anew: python -m promises.table, in tests/"


def test_figures_survive_being_written_and_read(tmp_path):
    document = tmp_path / "promises.md"
    table = Table.read(document, PROMISES)
    assert set(table.figures.values()) <= {NO_RUN}
    table.record("test_fork.py", "forks: 3 forks, 0 hangs", 0)
    table.record("test_exit.py", "exits: 3 runs", 2)
    table.machine = "2 cores"
    table.write(document)
    again = Table.read(document, PROMISES)
    assert again.figures["test_fork.py"].startswith("forks: 3 forks, 0 hangs (20")
    assert again.figures["test_exit.py"].startswith("**2 tests fail.** exits: 3 runs (20")
    assert again.figures["test_leaks.py"] == NO_RUN
    assert str(again) == document.read_text()


def test_whole_numbers_add_up_and_of_others_the_greatest_is_kept():
    figures = Figures()
    figures.add("pairs", runs=1200, hangs=0, seconds_at_worst=0.25)
    figures.add("pairs", runs=420, hangs=0, seconds_at_worst=0.125)
    assert str(figures) == "pairs: 1,620 runs, 0 hangs, seconds at worst 0.25"


def test_a_promise_says_how_and_what_not(tmp_path):
    test = tmp_path / "test_it.py"
    test.write_text('"""It holds.\n\nBy looking.\n\nNot promised: that it | holds for ever.\n"""\n')
    promise = promise_of(test)
    assert (promise.title, promise.proof) == ("It holds.", "By looking.")
    assert promise.exception == "That it / holds for ever."
    test.write_text('"""It holds."""\n')
    with pytest.raises(ValueError, match=r"test_it\.py"):
        promise_of(test)
