"""Random frames of every kind and type, against DuckDB and polars."""

from collections import Counter

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from frames import OTHER_KEYS, two_frames
from hypothesis import given
from hypothesis import strategies as st

import joinery

# The rows of a kind, as DuckDB has them. {on} compares the keys.
QUERIES = {
    "inner": "SELECT l.row_a, r.row_b FROM l JOIN r ON {on}",
    "left": "SELECT l.row_a, r.row_b FROM l LEFT JOIN r ON {on}",
    "right": "SELECT l.row_a, r.row_b FROM l RIGHT JOIN r ON {on}",
    "full": "SELECT l.row_a, r.row_b FROM l FULL JOIN r ON {on}",
    "semi": "SELECT l.row_a, NULL FROM l WHERE EXISTS (FROM r WHERE {on})",
    "anti": "SELECT l.row_a, NULL FROM l WHERE NOT EXISTS (FROM r WHERE {on})",
    "right_semi": "SELECT NULL, r.row_b FROM r WHERE EXISTS (FROM l WHERE {on})",
    "right_anti": "SELECT NULL, r.row_b FROM r WHERE NOT EXISTS (FROM l WHERE {on})",
}
NULL_AWARE = {
    "mark": "SELECT l.row_a, l.k0 IN (SELECT r.k0 FROM r) FROM l",
    "anti_null_aware": "SELECT l.row_a, NULL FROM l WHERE l.k0 NOT IN (SELECT r.k0 FROM r)",
}
POLARS = ["inner", "left", "right", "full", "semi", "anti"]


def rows_of_duckdb(query, left, right, names):
    with duckdb.connect() as connection:
        connection.register("l", left.select([*names, "row_a"]))
        connection.register("r", right.select([*names, "row_b"]))
        return Counter(connection.execute(query).fetchall())


def rows_of(table):
    """Row numbers of a result, None where a side is not in it; the mark in place of the right one."""
    rows = table.to_pydict()
    nothing = [None] * table.num_rows
    right = rows.get("mark", rows.get("row_b", nothing))
    return Counter(zip(rows.get("row_a", nothing), right))


def check_values(table, left, right, names, how):
    """Every column of a result has the values of the rows that the result names."""
    sides = {"row_a": left.to_pylist(), "row_b": right.to_pylist()}
    for row in table.to_pylist():
        a, b = (None if row.get(key) is None else sides[key][row[key]] for key in sides)
        for column, value in row.items():
            if column == "mark":
                continue
            if column.endswith("_right"):
                source = (b or {}).get(column.removesuffix("_right"))
            elif column in names:
                source = (b if how in ("right", "right_semi", "right_anti") else a or {}).get(column) if (a or b) else None
            elif column in left.column_names and "row_a" in row:
                source = (a or {}).get(column)
            else:
                source = (b or {}).get(column)
            assert value == source or (value != value and source != source), (column, value, source)


@given(two_frames(), st.sampled_from(sorted(QUERIES)), st.booleans(), st.sampled_from([None, "probe"]))
def test_one_key(frames, how, nulls_equal, order):
    check_against_duckdb(frames, how, nulls_equal, order)


@given(two_frames(keys=2), st.sampled_from(sorted(QUERIES)), st.booleans(), st.sampled_from([None, "probe"]))
def test_two_keys(frames, how, nulls_equal, order):
    check_against_duckdb(frames, how, nulls_equal, order)


@given(two_frames(keys=3, kinds=["int8", "uint16", "int32", "bool"]), st.sampled_from(sorted(QUERIES)), st.booleans())
def test_keys_that_are_packed(frames, how, nulls_equal):
    check_against_duckdb(frames, how, nulls_equal, None)


def check_against_duckdb(frames, how, nulls_equal, order):
    names, left, right = frames
    table = pa.table(joinery.join(left, right, on=names, how=how, nulls_equal=nulls_equal, order=order))
    equals = "IS NOT DISTINCT FROM" if nulls_equal else "="
    on = " AND ".join(f"l.{name} {equals} r.{name}" for name in names)
    assert rows_of(table) == rows_of_duckdb(QUERIES[how].format(on=on), left, right, names)
    check_values(table, left, right, names, how)
    if order and "row_b" in table.column_names:
        found = table["row_b"].to_pylist()
        assert found == sorted(found, key=lambda row: (row is None, row or 0))


@given(two_frames(), st.sampled_from(sorted(NULL_AWARE)))
def test_null_aware(frames, how):
    names, left, right = frames
    table = pa.table(joinery.join(left, right, on=names, how=how))
    assert rows_of(table) == rows_of_duckdb(NULL_AWARE[how], left, right, names)
    check_values(table, left, right, names, how)


@given(two_frames(kinds=OTHER_KEYS), st.booleans())
def test_keys_that_other_engines_lack(frames, nulls_equal):
    names, left, right = frames
    table = pa.table(joinery.join(left, right, on=names, nulls_equal=nulls_equal))
    keys = [frame[names[0]].to_pylist() for frame in (left, right)]
    equal = Counter(
        (a, b) for a, key in enumerate(keys[0]) for b, other in enumerate(keys[1]) if key == other and (nulls_equal or key is not None)
    )
    assert rows_of(table) == equal
    check_values(table, left, right, names, "inner")


@given(two_frames(keys=1), st.sampled_from(POLARS), st.booleans())
def test_as_polars(frames, how, nulls_equal):
    names, left, right = frames
    left, right = (pl.DataFrame(frame.select([*names, row])) for frame, row in ((left, "row_a"), (right, "row_b")))
    expected = left.join(right, on=names, how=how, nulls_equal=nulls_equal)
    found = pl.DataFrame(joinery.join(left, right, on=names, how=how, nulls_equal=nulls_equal))
    assert found.columns == expected.columns
    assert found.schema == expected.schema
    order = [column for column in ("row_a", "row_b") if column in found.columns]
    assert found.sort(order, nulls_last=True).equals(expected.sort(order, nulls_last=True))


@given(two_frames(), st.sampled_from(sorted([*QUERIES, *NULL_AWARE])))
def test_pairs_and_counts_agree_with_frames(frames, how):
    names, left, right = frames
    table = pa.table(joinery.join(left, right, on=names, how=how))
    pairs = joinery.pairs(left[names[0]], right[names[0]], how=how)
    found = pa.table(pairs).to_pydict()
    assert Counter(zip(found["build"], found.get("mark", found["probe"]))) == rows_of(table)
    assert joinery.count(left[names[0]], right[names[0]], how=how).rows == table.num_rows == len(pairs)


VARIANTS = pa.table(joinery.variants())["name"].to_pylist()


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant(variant):
    keys = pa.array([None if row % 7 == 3 else row % 50 for row in range(300)], pa.int32())
    others = pa.array([None if row % 5 == 3 else row % 70 for row in range(200)], pa.int32())
    expected = joinery.count(keys, others, how="full")
    assert joinery.count(keys, others, how="full", variant=variant) == expected
