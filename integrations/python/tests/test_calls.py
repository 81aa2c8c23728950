"""What calls take, return and refuse."""

import contextlib
import ctypes
import datetime
import decimal
import gc
import multiprocessing
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import arro3.core
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import joinery

LEFT = {"k": [1, 2, 3, None], "a": [10, 20, 30, 40]}
RIGHT = {"k": [2, 3, 3, 5], "b": ["x", "y", "z", "w"]}
ANSWER = [{"k": 2, "a": 20, "b": "x"}, {"k": 3, "a": 30, "b": "y"}, {"k": 3, "a": 30, "b": "z"}]


def of_duckdb(columns):
    rows = pa.table(columns)
    return duckdb.sql("FROM rows")


def of_arro3(columns):
    return arro3.core.Table.from_arrow(pa.table(columns))


@pytest.mark.parametrize("frame", [pa.table, pl.DataFrame, of_duckdb, of_arro3, pa.record_batch])
def test_frames_of_libraries(frame):
    table = joinery.join(frame(LEFT), frame(RIGHT), on="k", order="probe")
    assert pa.table(table).to_pylist() == ANSWER


def test_frames_of_pandas():
    left = pd.DataFrame({"k": [1, 2, 3], "a": [10, 20, 30]})
    table = joinery.join(left, pd.DataFrame(RIGHT), on="k", order="probe")
    assert pa.table(table).to_pandas().to_dict("records") == ANSWER


def test_results_go_into_libraries():
    joined = joinery.join(pa.table(LEFT), pa.table(RIGHT), on="k", order="probe")
    assert pl.DataFrame(joined).to_dicts() == ANSWER
    assert duckdb.sql("SELECT sum(a) FROM joined").fetchall() == [(80,)]
    assert len(joined) == joined.num_rows == 3 and joined.column_names == ["k", "a", "b"]
    again = pa.table(joined), pa.table(joined)
    assert again[0] == again[1], "a table can be read more than once"


def test_pairs_take():
    left, right = pl.DataFrame(LEFT), pl.DataFrame(RIGHT)
    build, probe = joinery.pairs(left["k"], right["k"], order="probe")
    assert left[pl.Series(build)]["a"].to_list() == [20, 30, 30]
    assert right[pl.Series(probe)]["b"].to_list() == ["x", "y", "z"]


def test_pairs_are_not_copied():
    pairs = joinery.pairs(pa.array(range(1000)), pa.array(range(1000)))
    first, again = pa.array(pairs.build), pa.array(pairs.build)
    assert first.buffers()[1].address == again.buffers()[1].address
    kept = pa.array(pairs.build)
    del pairs, first, again
    gc.collect()
    assert sorted(kept.to_pylist()) == list(range(1000))


def test_names_are_those_of_polars():
    left = pl.DataFrame({"k": [1], "x": [1], "y": [1]})
    right = pl.DataFrame({"j": [1], "x": [2], "z": [2]})
    right = right.with_columns(k=3)
    for how in ("inner", "left", "right", "full", "semi", "anti"):
        expected = left.join(right, left_on="k", right_on="j", how=how).columns
        assert joinery.join(left, right, left_on="k", right_on="j", how=how).column_names == expected, how
    table = joinery.join(left, right, left_on="k", right_on="j", suffix="_r", columns=["x_r", "k"])
    assert pa.table(table).to_pylist() == [{"x_r": 2, "k": 1}]
    assert joinery.join(left, right, left_on="k", right_on="j", columns="z").column_names == ["z"]


def test_categories_stay_categories():
    left = pl.DataFrame({"k": [1, 2], "c": pl.Series(["a", "b"], dtype=pl.Categorical)})
    right = pl.concat([
        pl.DataFrame({"k": [2], "d": pl.Series([word], dtype=pl.Enum(["x", "y"]))}) for word in "xy"
    ], rechunk=False)
    table = pl.DataFrame(joinery.join(left, right, on="k", order="probe"))
    assert table.schema == left.join(right, on="k").schema
    assert table.rows() == [(2, "b", "x"), (2, "b", "y")]


def test_types_of_polars_stay():
    day = datetime.datetime(2026, 1, 2, 3, 4, 5, 6)
    values = pl.DataFrame({
        "k": [1, 2, 3],
        "decimal": pl.Series([decimal.Decimal("1.50"), None, decimal.Decimal("-2.25")], dtype=pl.Decimal(20, 2)),
        "datetime": pl.Series([day, None, day], dtype=pl.Datetime("ns", "Europe/Berlin")),
        "duration": pl.Series([datetime.timedelta(1), None, datetime.timedelta(0)], dtype=pl.Duration("ms")),
        "time": [day.time(), None, day.time()],
        "date": [day.date(), None, day.date()],
        "binary": [b"abc", None, b"more than twelve bytes"],
        "boolean": [True, None, False],
        "float32": pl.Series([1.5, None, float("nan")], dtype=pl.Float32),
        "list": [["a", None], None, ["more than twelve bytes"]],
        "array": pl.Series([[1, 2], None, [3, None]], dtype=pl.Array(pl.Int16, 2)),
        "struct": [{"x": 1, "y": "a"}, None, {"x": None, "y": "b"}],
        "enum": pl.Series(["b", None, "a"], dtype=pl.Enum(["a", "b"])),
        "categories": pl.Series([["b", None], None, ["a"]], dtype=pl.List(pl.Categorical)),
    })
    keys = pl.DataFrame({"k": [2, 3, 1, 3, 4]})
    found = pl.DataFrame(joinery.join(keys, values, on="k", how="left")).sort("k")
    expected = keys.join(values, on="k", how="left").sort("k")
    assert found.schema == expected.schema
    assert found.equals(expected)


def test_columns_of_nothing_stay():
    nothing = pl.DataFrame({
        "k": [1, 2, 3],
        "null": pl.Series([None] * 3, dtype=pl.Null),
        "lists": pl.Series([[], [None], None], dtype=pl.List(pl.Null)),
        "struct": pl.Series([{"x": None}, None, {"x": None}], dtype=pl.Struct({"x": pl.Null})),
    })
    keys = pl.DataFrame({"k": [3, 2, 2, 4]})
    for how in ("inner", "left", "full"):
        found = pl.DataFrame(joinery.join(keys, nothing[1:], on="k", how=how))
        expected = keys.join(nothing[1:], on="k", how=how)
        assert found.schema == expected.schema
        rows = lambda frame: sorted(map(str, frame.rows()))
        assert rows(found) == rows(expected)


def test_extension_types_stay():
    ids = pa.array([b"0" * 16, None], pa.uuid())
    table = pa.table(joinery.join(pa.table({"k": [1, 2], "id": ids}), pa.table({"k": [2, 1]}), on="k", order="probe"))
    assert table.schema.field("id").type == pa.uuid()
    assert table["id"].to_pylist()[1] == ids.to_pylist()[0]


def test_dictionaries_of_chunks_become_one():
    words = pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", None, "a"]).dictionary_encode()])
    table = pa.table({"k": words, "row": range(5)})
    joined = pa.table(joinery.join(table, table, on="k", order="probe"))
    assert joined["k"].to_pylist() == ["a", "a", "b", "c", "a", "a"]
    assert pa.types.is_dictionary(joined["k"].type)


def test_integers_of_different_widths_meet():
    assert joinery.count(pa.array([1, 2], pa.int8()), pa.array([2, 3], pa.int64())).rows == 1
    assert joinery.count(pa.array([2**32 - 1], pa.uint32()), pa.array([-1], pa.int32())).rows == 0


@pytest.mark.parametrize(
    ("error", "word", "call"),
    [
        (TypeError, "left", lambda: joinery.join([1], pa.table(RIGHT), on="k")),
        (TypeError, "column", lambda: joinery.join(pa.array([1]), pa.table(RIGHT), on="k")),
        (ValueError, '"q"', lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), on="q")),
        (ValueError, "how", lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), on="k", how="iner")),
        (ValueError, "order", lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), on="k", order="left")),
        (ValueError, "left_on", lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), left_on="k")),
        (ValueError, "variant", lambda: joinery.count(pa.array([1]), pa.array([1]), variant="adaptve")),
        (ValueError, "threads", lambda: joinery.count(pa.array([1]), pa.array([1]), threads=0)),
        (ValueError, "threads is -1;", lambda: joinery.count(pa.array([1]), pa.array([1]), threads=-1)),
        (ValueError, "threads is 36893488147419103232;", lambda: joinery.count(pa.array([1]), pa.array([1]), threads=2**65)),
        (TypeError, "threads is of type str", lambda: joinery.count(pa.array([1]), pa.array([1]), threads="2")),
        (TypeError, "threads is of type float", lambda: joinery.count(pa.array([1]), pa.array([1]), threads=2.0)),
        (ValueError, "memory", lambda: joinery.count(pa.array([1]), pa.array([1]), memory="lots")),
        (ValueError, "memory is -1;", lambda: joinery.count(pa.array([1]), pa.array([1]), memory=-1)),
        (TypeError, "memory is of type list; give an int, or a str such as", lambda: joinery.count(pa.array([1]), pa.array([1]), memory=[1])),
        (TypeError, "^on is of type int; give a str or a list of str$", lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), on=1)),
        (TypeError, "left_on is of type list", lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), left_on=[1], right_on="k")),
        (ValueError, "key columns", lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), on=[])),
        (ValueError, "key columns", lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), left_on=["k", "a"], right_on="k")),
        (ValueError, '"c"', lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), on="k", columns="c")),
        (ValueError, 'columns: "k" is named twice', lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), on="k", columns=["k", "k"])),
        (UnicodeEncodeError, "surrogates", lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), on="\ud800")),
        (TypeError, "columns is of type int", lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), on="k", columns=1)),
        (TypeError, "instance", lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), on="k", how=1)),
        (TypeError, '"b"', lambda: joinery.join(pa.table(LEFT), pa.table(RIGHT), left_on="a", right_on="b")),
        (TypeError, '"k"', lambda: joinery.join(pa.table({"k": [[1]]}), pa.table({"k": [[1]]}), on="k")),
        (TypeError, '"u"', lambda: joinery.join(pa.table(LEFT), pa.table({"k": [2], "u": union()}), on="k")),
        (TypeError, '"i"', lambda: joinery.join(pa.table(LEFT), pl.DataFrame({"k": [2], "i": pl.Series([1], dtype=pl.Int128)}), on="k")),
        (ValueError, "several columns", lambda: joinery.join(pa.table({"k": [1, None], "j": [1, 1]}), pa.table({"k": [1, 2], "j": [2, None]}), on=["k", "j"], how="mark")),
        (TypeError, '"n"', lambda: joinery.join(pl.DataFrame({"n": [None]}), pl.DataFrame({"n": [None]}), on="n")),
        (ValueError, '"a_right"', lambda: joinery.join(pa.table(LEFT), pa.table({"k": [2], "a": [1], "a_right": [1]}), on="k")),
        (ValueError, "mark", lambda: joinery.count(pa.table(LEFT), pa.table(LEFT), how="mark")),
        (ValueError, "no workload", lambda: joinery.workload("pk-fk-2m")),
        (ValueError, "several", lambda: joinery.workload("ladder")),
        (ValueError, "size", lambda: joinery.workload("pk-fk-1m", size="huge")),
        (ValueError, "seed is -1;", lambda: joinery.workload("pk-fk-1m", seed=-1)),
        (ValueError, "name the folder of a run", lambda: joinery.read_run("no such folder")),
        (ValueError, "name the folder of a run", lambda: joinery.plot("no such folder")),
    ],
)
def test_refusals_say_what_is_wrong(error, word, call):
    with pytest.raises(error, match=word):
        call()


def union():
    return pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])


def test_memory_is_limited():
    keys = pa.array(np.zeros(20_000, np.int32))
    with pytest.raises(MemoryError, match="bytes more were needed"):
        joinery.pairs(keys, keys, memory="64MiB")
    frame = pa.table({"k": keys, "text": ["a text of some length"] * len(keys)})
    one = pa.table({"k": pa.array([0], pa.int32())})
    assert len(joinery.join(frame, one, on="k", memory="64MiB")) == len(keys)
    with pytest.raises(MemoryError, match="bytes more were needed"):
        joinery.join(frame, one, on="k", memory="512KiB")
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int8)), pa.array(["a text of some length" * 100]))
    with pytest.raises(MemoryError, match="bytes more were needed"):
        joinery.count(words, words.slice(0, 1), memory="4MiB")


def test_a_join_ends_where_memory_does():
    # 2.5 * 10**11 pairs, which nobody would wait for.
    frame = pa.table({"k": pa.array(np.zeros(500_000, np.int32))})
    with pytest.raises(MemoryError, match="bytes more were needed"):
        joinery.join(frame, frame, on="k", memory="64MiB")


@pytest.mark.parametrize("how", ["inner", "full"])
@pytest.mark.parametrize("order", [None, "probe"])
@pytest.mark.parametrize("key", ["number", "text"])
def test_large_frames_are_joined_by_several_threads(how, order, key):
    numbers = np.random.default_rng(1)

    def frame(name, rows, chunks):
        parts = np.array_split(numbers.integers(0, 20_000, rows), chunks)
        return pl.concat([
            pl.DataFrame({"number": part, "text": [f"text of number {n}" for n in part], name: np.arange(len(part))})
            for part in parts
        ], rechunk=False)

    left, right = frame("a", 60_000, 1), frame("b", 100_000, 3)
    found = pl.DataFrame(joinery.join(left, right, on=key, how=how, order=order, threads=2))
    expected = left.join(right, on=key, how=how)
    assert found.height > 2**18, "more than one chunk"
    if order:
        kept = found.filter(pl.col("b").is_not_null())["b"]
        ordered = right.join(left, on=key, how="inner" if how == "inner" else "left", maintain_order="left")["b"]
        assert kept.equals(ordered)
    assert found.sort(found.columns).equals(expected.sort(expected.columns))


@pytest.mark.parametrize("how", ["inner", "right"])
@pytest.mark.parametrize("key", ["number", "text"])
@pytest.mark.parametrize("swapped", [False, True])
def test_rows_that_follow_one_another_are_slices(how, key, swapped):
    rows, keys = 300_000, 50_000
    number = np.random.default_rng(1).integers(0, keys, rows)
    # A stretch without partners, and some single rows.
    number[100_000:140_000] += keys
    number[200_000::1_000] += keys
    long = pl.DataFrame({
        "number": number,
        "text": [f"text of number {n}" for n in number],
        "b": pl.Series([None if n % 7 == 0 else n for n in number]),
        "note": [f"note {row}" if row % 3 else None for row in range(rows)],
        "even": number % 2 == 0,
    }).with_columns(both=pl.struct("b", "note"))
    long = pl.concat([long[3:120_000], long[120_000:250_000], long[250_000:]], rechunk=False)
    short = pl.DataFrame({"number": np.arange(keys), "text": [f"text of number {n}" for n in range(keys)], "a": np.arange(keys) * 2})
    left, right = (long, short) if swapped else (short, long)
    table = joinery.join(left, right, on=key, how=how, threads=2)
    found, expected = pl.DataFrame(table), left.join(right, on=key, how=how)
    assert found.schema == expected.schema
    assert found.sort(found.columns).equals(expected.sort(expected.columns))
    if how == "inner":
        buffers = lambda column: [chunk.buffers()[1] for chunk in column.chunks]
        whole = [(buffer.address, buffer.address + buffer.size) for buffer in buffers(pa.table(long)["b"])]
        # Which rows two threads find one after the other is theirs; one finds all.
        table = joinery.join(left, right, on=key, how=how, threads=1)
        slices = buffers(pa.table(table)["b"])
        own = [buffer for buffer in slices if any(start <= buffer.address < end for start, end in whole)]
        # Before the stretch and after it, as far as the single rows.
        assert len(own) == 2, "not copied"


class Lying:
    """Hands over an array whose structure was changed on the way."""

    def __init__(self, array, change):
        self.capsules = array.__arrow_c_array__()
        get = ctypes.pythonapi.PyCapsule_GetPointer
        get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        words = ctypes.cast(get(self.capsules[1], b"arrow_array"), ctypes.POINTER(ctypes.c_int64))
        change(words)

    def __arrow_c_array__(self, requested_schema=None):
        return self.capsules


# Of struct ArrowArray: length, null_count, offset, n_buffers. (n_children is what pyarrow itself releases by.)
@pytest.mark.parametrize(("place", "value"), [(0, -1), (0, 2**62), (2, -1), (2, 2**62), (3, 0), (3, 1), (3, -1)])
@pytest.mark.parametrize("of_type", [pa.int32(), pa.string(), pa.string_view(), pa.list_(pa.int32())])
def test_rubbish_is_refused(place, value, of_type):
    array = pa.array([[1], [2]] if pa.types.is_nested(of_type) else ["1", "2"]).cast(of_type)
    lying = Lying(array, lambda words: words.__setitem__(place, value))
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        joinery.pairs(lying, lying)


class Handing:
    """Hands over whatever it is told."""

    def __init__(self, stream=None, array=None):
        if stream is not None:
            self.__arrow_c_stream__ = lambda requested_schema=None: stream
        if array is not None:
            self.__arrow_c_array__ = lambda requested_schema=None: array


@pytest.mark.parametrize(
    "handing",
    [Handing(stream=3), Handing(stream=pa.schema([]).__arrow_c_schema__()), Handing(array=(1, 2)), Handing(array=(1,)), Handing(array=1)],
)
def test_what_is_no_capsule_is_refused(handing):
    with pytest.raises(TypeError, match="^build: .* capsule"):
        joinery.count(handing, pa.array([1]))


def test_strings_that_end_before_they_begin_are_refused():
    array = pa.Array.from_buffers(pa.string(), 3, [None, pa.py_buffer(np.array([0, 9, 2, 3], np.int32)), pa.py_buffer(b"abc")])
    with pytest.raises((ValueError, RuntimeError)):
        joinery.count(array, array)


def of_buffers(of_type, rows, *buffers, children=None):
    buffers = [pa.py_buffer(buffer) for buffer in buffers]
    return pa.Array.from_buffers(of_type, rows, [None, *buffers], children=children)


def a_view(size, buffer, place):
    return np.array([size, 0, buffer, place], np.int32)


# Of lengths that fit, with values that point outside.
RUBBISH = {
    "offsets that go back": of_buffers(pa.string(), 3, np.array([0, 3, 2, 3], np.int32), b"abc"),
    "offsets beyond the last": of_buffers(pa.large_string(), 3, np.array([0, 9, 9, 3], np.int64), b"abc"),
    "offsets below 0": of_buffers(pa.binary(), 2, np.array([0, -1, 3], np.int32), b"abc"),
    "a view of a buffer that there is not": of_buffers(pa.string_view(), 1, a_view(13, 1, 0), b"x" * 13),
    "a view beyond its buffer": of_buffers(pa.string_view(), 1, a_view(13, 0, 1), b"x" * 13),
    "a dictionary key beyond": pa.DictionaryArray.from_arrays(pa.array([0, 2]), pa.array(["a", "b"]), safe=False),
    "a dictionary key below 0": pa.DictionaryArray.from_arrays(pa.array([0, -1], pa.int8()), pa.array([1, 2]), safe=False),
    "lists that go back": of_buffers(pa.list_(pa.int32()), 3, np.array([0, 2, 1, 2], np.int32), children=[pa.array([1, 2], pa.int32())]),
}


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_values_that_point_outside_are_refused_by_name(rubbish):
    column = RUBBISH[rubbish]
    frame = pa.table({"k": np.arange(len(column)), "bad": column})
    with pytest.raises(ValueError, match='"bad"'):
        joinery.join(frame, frame, on="k")
    with pytest.raises((ValueError, TypeError), match='"bad"'):
        joinery.join(frame, frame, on="bad")
    assert len(joinery.join(frame, frame, on="k", columns=["k"])) == len(column)


def test_types_without_an_end_are_refused():
    deep = pa.int8()
    for _ in range(1_000):
        deep = pa.list_(deep)
    with pytest.raises(ValueError, match="nested"):
        joinery.join(pa.table({"k": [1], "deep": pa.nulls(1, deep)}), pa.table(RIGHT), on="k")


def test_values_may_lie_anywhere():
    numbers = np.frombuffer(b"x" + np.arange(3, dtype=np.int64).tobytes(), np.uint8)[1:]
    column = pa.Array.from_buffers(pa.int64(), 3, [None, pa.py_buffer(numbers)])
    assert column.buffers()[1].address % 8
    assert joinery.count(column, pa.array([1, 2, 3])).rows == 2


def test_a_stream_is_read_once():
    reader = pa.table(LEFT).to_reader()
    capsule = reader.__arrow_c_stream__()

    class Once:
        def __arrow_c_stream__(self, requested_schema=None):
            return capsule

    joinery.join(Once(), pa.table(RIGHT), on="k")
    with pytest.raises(ValueError, match="left"):
        joinery.join(Once(), pa.table(RIGHT), on="k")


def test_a_reader_is_joined_with_itself():
    reader = pa.table(LEFT).to_reader()
    assert pa.table(joinery.join(reader, reader, on="k", order="probe"))["k"].to_pylist() == [1, 2, 3]
    numbers = pa.RecordBatchReader.from_batches(pa.schema([("k", pa.int64())]), [pa.record_batch({"k": [7, 7]})])
    assert joinery.count(numbers, numbers).rows == 4


def test_ctrl_c_ends_what_a_producer_makes():
    def batches():
        while True:
            time.sleep(0.01)
            yield pa.record_batch(LEFT)

    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        joinery.join(pa.RecordBatchReader.from_batches(pa.table(LEFT).schema, batches()), pa.table(RIGHT), on="k")


def test_ctrl_c_ends_a_long_stream():
    class Endless:
        """Hands over a stream of the C interface that knows nothing of Python."""

        def __arrow_c_stream__(self, requested_schema=None):
            rows = duckdb.sql("SELECT md5(range::VARCHAR) AS k FROM range(1000000000)")
            return rows.__arrow_c_stream__()

    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        joinery.join(Endless(), pa.table({"k": ["a"]}), on="k")


def test_what_a_producer_says_is_told():
    def batches():
        yield pa.record_batch(LEFT)
        raise RuntimeError("the well is dry")

    reader = pa.RecordBatchReader.from_batches(pa.table(LEFT).schema, batches())
    with pytest.raises(ValueError, match="the well is dry"):
        joinery.join(reader, pa.table(RIGHT), on="k")


def test_other_threads_go_on():
    keys = pa.array(np.arange(4_000_000) % 500_000)
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    ticking = threading.Thread(target=tick)
    ticking.start()
    start = time.monotonic()
    joinery.count(keys, keys, threads=1)
    end = time.monotonic()
    done.set()
    ticking.join()
    assert sum(start < moment < end for moment in ticks) >= 2


def names_of_threads():
    for thread in Path("/proc/self/task").glob("*/comm"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield thread.read_text().strip()


def test_ctrl_c_ends_a_join():
    keys = pa.array(np.zeros(500_000, np.int32))
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        # 2.5 * 10**11 pairs.
        joinery.count(keys, keys, variant="serial+zero-copy", threads=1)
    # A whole morsel would go on for longer than is waited here.
    waited = 0
    while "joinery" in names_of_threads():
        time.sleep(0.1)
        waited += 1
        assert waited < 300, "the join goes on"


def of_child(queue):
    queue.put(joinery.count(pa.array(range(50_000)), pa.array(range(50_000))).rows)


def test_a_forked_process_joins():
    joinery.count(pa.array(range(50_000)), pa.array(range(50_000)), threads=2)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=of_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == 50_000
    child.join(60)
    assert child.exitcode == 0


def test_joins_do_not_leak():
    left = pa.table({"k": pa.array(range(100)), "s": [f"text number {row}" for row in range(100)]})

    def joins(count):
        for _ in range(count):
            pa.table(joinery.join(left, left, on="s", how="full", threads=1))
        gc.collect()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = joins(1_000)
    # 9,000 results of 10 KB each would be 90 MB.
    assert joins(9_000) - before < 30_000


def test_nothing_else_is_imported():
    code = "import joinery, sys; assert not {'numpy', 'pyarrow', 'polars', 'pandas', 'duckdb'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_thread_local_storage_is_not_static():
    """Else the library could not be loaded late: cannot allocate memory in static TLS block."""
    library = Path(joinery._joinery.__file__).read_bytes()
    (headers,) = struct.unpack_from("<Q", library, 0x20)
    size, count = struct.unpack_from("<HH", library, 0x36)
    sections = (struct.unpack_from("<IIQQQQ", library, headers + size * number) for number in range(count))
    (dynamic,) = ((offset, length) for kind, _, offset, _, _, length in sections if kind == 2)
    tags = dict(struct.iter_unpack("<QQ", library[dynamic[0] : sum(dynamic)]))
    assert tags[5], "there is a string table, so the tags were read"
    assert not tags.get(30, 0) & 0x10, "DF_STATIC_TLS"


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_those_asked_for(threads):
    keys = pa.array(np.arange(100_000))
    assert joinery.explain(keys, keys, threads=threads)["threads"] == threads


def test_lists():
    assert "adaptive" in pa.table(joinery.variants())["name"].to_pylist()
    toggles = pa.table(joinery.toggles()).to_pylist()
    assert all(toggle["default"] in toggle["settings"] for toggle in toggles)
    assert "pk-fk-1m" in pa.table(joinery.workloads())["name"].to_pylist()


def test_explain():
    said = joinery.explain(pa.array([1, 2, 3]), pa.array([2, 3, 4]), how="left")
    assert said["rows"] == 3 and said["build_rows"] == 3
    assert said["phases"] and sum(said["phases"].values()) <= said["seconds"] * 1.01
    assert any("picked" in note for note in said["notes"])
