"""Filters that are none, and what is said about them."""

import functools
import operator

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import respool
from filtering import passing

X = pc.field("x")


@pytest.fixture(scope="module")
def cache():
    table = pa.table(
        {
            "row": [0, 1, 2],
            "x": [1, 2, None],
            "big": pa.array([1, 2**63, 2**64 - 1], pa.uint64()),
            "text": pa.array(["a", "b", None], pa.string_view()),
            "nested": [{"n": 1}, {"n": 2}, None],
        }
    )
    return respool.StreamCache(table)


FORMLESS = [
    (("x", ">", 1), r"\('x', '>', 1\): expected .* a single one is written \[\('x', '>', 1\)\]"),
    (["x", ">", 1], r"written \[\('x', '>', 1\)\]"),
    (["x"], "expected .* a list of"),
    ([pl.col("x") > 1], "joined with & and"),
    ([X > 1], "joined with & and"),
    ([[X > 1], [X < 3]], "joined with & and"),
    ([("x", ">")], r"\('x', '>'\): expected"),
    ([("x", ">", 1, 2)], r"\('x', '>', 1, 2\): expected"),
    ([("x", ">", 1), [("x", "<", 3)]], r"\[\('x', '<', 3\)\]: expected"),
    ([[("x", ">", 1)], ("x", "<", 3)], r"\('x', '<', 3\): expected"),
    ([[[("x", ">", 1)]]], "expected"),
    ([("x", 1, 1)], r"\('x', 1, 1\): expected"),
    ([(1, ">", 1)], "expected"),
    ([{"x": 1}], r"\{'x': 1\}: expected"),
    ([None], "None: expected"),
    ([True, False], "expected"),
    ([("x", "in", 1)], "'in' and 'not in' take a list of values"),
    ([("x", "not in", None)], "'in' and 'not in' take a list of values"),
]


@pytest.mark.parametrize(("what", "text"), FORMLESS, ids=lambda value: str(value)[:30])
def test_what_has_another_form_is_a_type_error_that_shows_it(cache, what, text):
    with pytest.raises(TypeError, match=rf"^cannot filter by .*{text}"):
        cache.filter(what)


REFUSED = [
    ([], r"\[\]: it holds no condition; leave the filter out"),
    ((), "it holds no condition"),
    ([[], [("x", ">", 1)]], "leave the empty list out"),
    ([[("x", ">", 1)], []], "leave the empty list out"),
    ([("x", "~", 1)], "no operator '~'; there are =, ==, !=, .*, not in$"),
    ([("x", "in", [1, "a"])], "its value has no type in Arrow"),
    ([("x", ">", object())], "its value has no type in Arrow"),
    ([("x", ">", pl.lit(1))], "its value has no type in Arrow"),
    ([("big", "==", 2**64)], "its value has no type in Arrow"),
    ([("big", "in", [2**63, -1])], "its value has no type in Arrow"),
    ([("x", ">=", 2**63)], "int64 can't hold 9223372036854775808"),
    ([("missing", ">", 1)], "no column 'missing'; the columns are .*column_names"),
    (pl.col("missing") > 1, "no column 'missing'; the columns are .*column_names"),
]


@pytest.mark.parametrize(("what", "text"), REFUSED, ids=lambda value: str(value)[:30])
def test_what_cannot_be_translated_is_a_value_error_that_shows_it(cache, what, text):
    with pytest.raises(ValueError, match=rf"^cannot filter by .*{text}") as raised:
        cache.filter(what)
    assert not isinstance(raised.value, pa.ArrowException)


def test_numbers_beyond_64_bits_with_a_sign(cache):
    assert passing(cache, [("big", ">=", 2**63)]) == [1, 2]
    assert passing(cache, [("big", "<", 2**64 - 1)]) == [0, 1]
    assert passing(cache, [("big", "in", [1, 2**64 - 1])]) == [0, 2]
    assert passing(cache, [("big", "not in", {1, 2**64 - 1})]) == [1]


def test_a_field_of_a_struct_is_named_by_its_path(cache):
    assert passing(cache, [[(("nested", "n"), ">", 1)]]) == [1]


def test_lists_of_text_views_with_null(cache):
    texts = pa.array(["a", None], pa.string_view())
    assert passing(cache, pc.field("text").isin(texts)) == [0, 2]
    assert passing(cache, ~pc.field("text").isin(texts)) == [1]
    assert passing(cache, pc.is_in(pc.field("text"), texts, skip_nulls=True)) == [0]


def test_a_long_chain_of_polars_says_that_it_is_too_deep(cache):
    chain = functools.reduce(operator.or_, (pl.col("x") == number for number in range(500)))
    with pytest.raises(ValueError, match="nested more than 100 deep; try is_in"):
        cache.filter(chain)


@pytest.mark.parametrize("what", [[("x", ">", 1)], X > 1, pl.col("x") > 1], ids=str)
def test_a_column_that_the_view_left_out(cache, what):
    for view in (cache.select("row"), cache.select("row", "text").slice(1)):
        with pytest.raises(ValueError, match=r"no column 'x'.* filter before select"):
            view.filter(what)
