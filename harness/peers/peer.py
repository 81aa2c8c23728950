"""The protocol, for peers written in Python; README.md says what goes over standard input and output.

A peer gives `serve` its engine, a class with

    __init__(threads)     starts the engine with that many threads
    load(build, probe)    takes two `Keys` into the engine's native form, in place of those before
    aggregate(asked)      answers (rows, sum of the build sides' row ids, sum of the probe sides') of the join `Asked`
    pairs(asked)          answers the engine's own result: both row ids of each pair
    sums(pairs)           answers what `aggregate` does, from that result

and, if it makes rows of further columns (`rows = true` in its definition),

    joined(asked)         answers the engine's own result: all columns of the payload of both sides (see `names_of`)
    sums_of(joined)       answers (rows, sum of all values of the build side, sum of all of the probe side), from that result

and, if it executes whole plans (`plans = true` in its definition),

    load_plan(plan)       takes the tables of a `plans.Plan`, in place of those before
    execute()             makes the engine's own result of that plan
    rows()                answers how many rows that result has
    result()              answers that result as an Arrow table
    discard()             drops that result
"""

import json
import os
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc

# Stands where a result has no row of a side.
NO_ROW = 2**32 - 1

TYPES = {"INT32": pa.int32(), "INT64": pa.int64(), "VARCHAR": pa.string()}


class Asked:
    """What is asked of a join: the names of its key columns, those of its payload, its kind, in SQL the condition that it has,
    or None, and whether a NULL key equals another, which the harness does not ask for."""

    def __init__(self, request, keys, payload=()):
        self.keys = keys
        self.payload = payload
        self.nulls_equal = False
        self.kind = request.get("kind", "inner")
        self.condition = request.get("condition")


class Keys:
    """One side of a join: `columns` by name, which are those of the key (`key`, `key1`, …), `value` where a condition
    compares it, and those of the payload. Each row has its number from 0 as its id, too."""

    def __init__(self, side, payload=()):
        self.rows = side["rows"]
        parts = [side, *side.get("more", [])]
        self.names = ["key" if nth == 0 else f"key{nth}" for nth in range(len(parts))]
        self.columns = dict(zip(self.names, map(column, parts)))
        if side.get("values"):
            self.columns["value"] = pa.Array.from_buffers(pa.int32(), self.rows, [None, read(side["values"])])
        for nth, name in enumerate(payload):
            ids = pa.arange(0, self.rows)
            self.columns[name] = pc.multiply(ids, 2 * nth) if nth else ids
        fields = {name: values.type for name, values in self.columns.items()}
        self.schema = pa.schema({**fields, "row": pa.uint32()})

    def batches(self, rows):
        """Arrow record batches of all columns and `row`, of so many rows; one without rows where there are none."""
        for start in range(0, max(self.rows, 1), rows):
            columns = [values.slice(start, rows) for values in self.columns.values()]
            ids = pa.arange(start, start + len(columns[0])).cast(pa.uint32())
            yield pa.record_batch([*columns, ids], schema=self.schema)


def names_of(columns):
    """The names of so many columns of a payload. In the first one stands the id of the row, in the others 2, 4, 6 … times
    that."""
    return [f"payload{nth}" for nth in range(columns)]


def column(side):
    """A column of a key as an Arrow array."""
    buffers = [side.get("valid") and read(side["valid"]), read(side["keys"])]
    if side.get("ends"):
        buffers.insert(1, read(side["ends"]))
    return pa.Array.from_buffers(TYPES[side["type"]], side["rows"], buffers)


def read(path):
    with open(path, "rb") as file:
        return pa.py_buffer(file.read())


def join(engine, consumer, asked):
    """Runs one join. The clock runs around the query alone."""
    run = {"aggregate": "aggregate", "pairs": "pairs", "rows": "joined"}[consumer]
    start = time.perf_counter()
    result = getattr(engine, run)(asked)
    seconds = time.perf_counter() - start
    if consumer != "aggregate":
        result = engine.sums(result) if consumer == "pairs" else engine.sums_of(result)
    rows, build, probe = result
    # In SQL a sum over no rows is NULL; and sums may be wider than the 64 bits that they wrap at.
    build, probe = (int(total or 0) % 2**64 for total in (build, probe))
    return {"seconds": seconds, "rows": rows, "sum_build": build, "sum_probe": probe}


def execute(engine, wanted):
    """Executes the plan. The clock runs around the query alone."""
    start = time.perf_counter()
    engine.execute()
    seconds = time.perf_counter() - start
    rows, checksum = engine.rows(), None
    if wanted["checksum"]:
        import plans

        checksum = plans.checksum(engine.result(), rows)
    engine.discard()
    return {"seconds": seconds, "rows": rows, "checksum": checksum}


def answer(engine, request):
    """Does what a line asks; returns the line that answers it."""
    if "join" in request:
        return join(engine, request["join"], Asked(request, engine.names, engine.payload))
    if "execute" in request:
        return execute(engine, request["execute"])
    load = request["load"]
    if "plan" in load:
        # Only those who execute plans need what this needs.
        import plans

        engine.load_plan(plans.Plan(load["plan"]))
    else:
        engine.payload = names_of(load.get("payload", 0))
        build, probe = (Keys(load[side], engine.payload) for side in ("build", "probe"))
        engine.names = build.names
        engine.load(build, probe)
    pa.default_memory_pool().release_unused()
    return {"loaded": True}


def serve(start):
    """Answers line by line until there are no more; `start` makes the engine when the threads are known."""
    # What else is printed must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    engine = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            engine = engine or start(request["load"]["threads"])
            reply = answer(engine, request)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=answers, flush=True)
