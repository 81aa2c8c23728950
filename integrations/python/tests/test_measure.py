"""Workloads, measurements, records and charts."""

import contextlib
import io
import json
import os
import signal
import threading

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import joinery

WORKLOAD = """
name = "own"
sentence = "A test."
build = { keys = "unique" }
probe = { keys = "even" }
[quick]
build_rows = 1000
probe_rows = 4000
[default]
build_rows = 1000
probe_rows = 4000
[full]
build_rows = 1000
probe_rows = 4000
"""


@pytest.fixture(scope="module")
def own():
    return joinery.workload(WORKLOAD)


@pytest.fixture(scope="module")
def run(own, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    keys = pa.array([None, 1, 2, 3]), pa.array([3, 3, None])
    return out, joinery.measure(
        {"own": own, "given": keys},
        variants=["partitioned+batched", "sort-merge"],
        toggles="bloom",
        threads=1,
        rounds=3,
        out=out,
        progress=False,
        allow_unoptimised=True,
    )


def test_a_workload_is_what_its_file_says(own):
    build, probe = own
    assert (len(build), len(probe), own.rows) == (1000, 4000, 4000)
    assert joinery.count(build, probe).rows == own.rows
    again = joinery.workload(WORKLOAD, seed=7)
    assert pa.array(again.build) != pa.array(own.build)
    assert pa.array(joinery.workload(WORKLOAD).build) == pa.array(own.build)


def test_a_workload_has_the_columns_beside_its_keys(own):
    assert own.condition is own.build_values is own.probe_values is None
    condition = joinery.workload("condition-4m")
    assert (condition.how, condition.condition) == ("inner", "build.value < probe.value")
    left, right = (
        pl.DataFrame(values).with_columns(k=pl.Series(keys))
        for keys, values in zip(condition, (condition.build_values, condition.probe_values))
    )
    assert left.join(right, on="k").filter(pl.col("value") < pl.col("value_right")).height == condition.rows
    payload = joinery.workload("payload-4m-32")
    for keys, values in zip(payload, (payload.build_values, payload.probe_values)):
        assert values.column_names == [f"payload{number}" for number in range(4)]
        assert len(values) == len(keys)


def as_recorded(value, recorded):
    """A value of a samples table as samples.jsonl has it: maps of Arrow are lists of pairs, and what is not known is left out."""
    if isinstance(recorded, dict):
        return {name: entry for name, entry in dict(value).items() if entry is not None}
    return value


def test_samples_are_those_of_the_harness(run):
    out, run = run
    samples = pl.DataFrame(run)
    # The control twice, the other variant, and the toggle's other setting; of two cases. One that was disturbed stands there
    # once more.
    rows = pa.table(run).to_pylist()
    taken = {(row["workload"], row["variant"], *row["toggles"], row["label"], row["round"]) for row in rows}
    assert len(taken) == 2 * 4 * 3 and len(rows) == len(samples) == len(run)
    assert {toggle for row in rows for toggle in row["toggles"]} == {("bloom", "off")}
    assert samples.filter(pl.col("workload") == "given")["rows"].unique().to_list() == [2]
    assert set(samples["label"].to_list()) == {"A", "A'", None}
    assert samples["seconds"].min() > 0
    assert len(run.failures) == 0
    with (out / "samples.jsonl").open() as lines:
        recorded = [record for record in map(json.loads, lines) if record.pop("kind") == "sample"]
    assert len(recorded) == len(rows)
    for record, row in zip(recorded, rows):
        # What a line leaves out is empty.
        assert {name: as_recorded(row[name], record[name]) for name in record} == record
        assert not any(row[name] for name in row.keys() - record.keys())
    again = joinery.read_run(out)
    assert pa.table(again) == pa.table(run)
    medians = duckdb.sql("SELECT variant, median FROM summary WHERE workload = 'own'") if (summary := run.summary) else None
    assert len(medians.fetchall()) == 3
    assert pa.table(run.environment)["complete"].to_pylist() == [True]


def test_charts_are_those_of_the_report(run, tmp_path):
    out, run = run
    chart = joinery.plot(run)
    assert chart._repr_svg_().startswith("<svg") and chart.title and chart.csv
    chart.save(tmp_path / "times.svg")
    assert (tmp_path / "times.svg").read_text() == chart.svg == (out / "times.svg").read_text()
    assert joinery.plot(out, "phases").svg == (out / "phases.svg").read_text()
    with pytest.raises(ValueError, match="times"):
        joinery.plot(run, "pie")
    with pytest.raises(TypeError, match="samples"):
        joinery.plot(run.samples)


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_says_how_far_it_is(own, progress):
    shown = io.StringIO()
    with contextlib.redirect_stderr(shown):
        joinery.measure({"own": own, "again": own}, variants="adaptive", rounds=3, progress=progress, allow_unoptimised=True)
    last = shown.getvalue().rpartition("\r")[2]
    assert last.startswith("█" * 24 + " 100 %  [2/2] again: ") and last.endswith("\n") if progress else shown.getvalue() == ""


def test_ctrl_c_ends_a_measurement_and_keeps_what_there_is(own, tmp_path):
    started = threading.Event()

    class Watched(io.StringIO):
        def write(self, text):
            if "round" in text:
                started.set()
            return super().write(text)

    def interrupt():
        started.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), contextlib.redirect_stderr(Watched()):
        joinery.measure({"own": own}, variants="adaptive", rounds=1_000_000, out=tmp_path / "run", allow_unoptimised=True)
    thread.join()
    run = joinery.read_run(tmp_path / "run")
    assert pa.table(run.environment)["complete"].to_pylist() == [False]
    assert len(run) > 0


def test_ctrl_c_ends_the_join_that_is_measured():
    keys = pa.array(np.zeros(2_000_000, np.int32))
    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        # 4 * 10**12 pairs.
        joinery.measure({"long": (keys, keys)}, variants="adaptive", threads=1, rounds=1, progress=False, allow_unoptimised=True)


KEYS = {"x": (pa.array([1]), pa.array([1]))}


@pytest.mark.parametrize(
    ("error", "word", "cases", "options"),
    [
        (ValueError, "cases", {}, {}),
        (TypeError, "Mapping", [KEYS["x"]], {}),
        (TypeError, "the name of a case is of type int", {1: KEYS["x"]}, {}),
        (TypeError, 'case "x" is neither', {"x": 1}, {}),
        (TypeError, 'case "x": build is of type List', {"x": (pa.array([[1]]), pa.array([[1]]))}, {}),
        (ValueError, 'case "x": build has 1 and probe 2 key columns', {"x": (pa.table({"a": [1]}), pa.table({"a": [1], "b": [1]}))}, {}),
        (ValueError, "bloom", KEYS, {"toggles": "blom"}),
        (ValueError, "adaptive", KEYS, {"variants": ["adaptve"]}),
        (ValueError, "no variants", KEYS, {"variants": []}),
        (TypeError, "variants is of type int", KEYS, {"variants": 1}),
        (ValueError, "threads is 0;", KEYS, {"threads": [1, 0]}),
        (ValueError, "threads is empty", KEYS, {"threads": []}),
        (TypeError, "threads is of type str", KEYS, {"threads": "all"}),
        (ValueError, "rounds is 0;", KEYS, {"rounds": 0}),
        (ValueError, "seed is -1;", KEYS, {"seed": -1}),
        (ValueError, "inner", KEYS, {"how": "iner"}),
    ],
)
def test_a_wrong_call_is_told_before_anything_is_measured(error, word, cases, options, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(error, match=word):
        joinery.measure(cases, out=out, allow_unoptimised=True, **options)
    assert not out.exists()


def test_strings_that_make_no_sense_are_told_as_joins_tell_them():
    offsets = pa.py_buffer(np.array([0, 9, 2, 3], np.int32))
    column = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"abc")])
    with pytest.raises(ValueError, match="x.*build"):
        joinery.measure({"x": (column, column)}, progress=False, allow_unoptimised=True)


def test_strings_and_several_columns_are_measured():
    words = pa.array(["a", None, "b"]), pa.array(["b", "b"])
    table = pa.table({"x": [1, 2], "y": ["a", "b"]})
    run = joinery.measure(
        {"words": words, "columns": (table, table)}, variants="adaptive", how="left", rounds=2, progress=False, allow_unoptimised=True
    )
    samples = pl.DataFrame(run)
    assert set(samples.select("workload", "rows").rows()) == {("words", 4), ("columns", 2)}
