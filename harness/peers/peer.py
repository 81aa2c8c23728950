"""The protocol, for peers written in Python; README.md says what goes over standard input and output.

A peer gives `serve` its engine, a class with

    __init__(threads)     starts the engine with that many threads
    load(build, probe)    takes two `Keys` into the engine's native form, in place of those before
    aggregate(kind)       answers (rows, sum of the build sides' row ids, sum of the probe sides') of a kind of join
    pairs(kind)           answers the engine's own result: both row ids of each pair
    sums(pairs)           answers what `aggregate` does, from that result

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

# Stands where a result has no row of a side.
NO_ROW = 2**32 - 1

TYPES = {"INT32": pa.int32(), "INT64": pa.int64()}


class Keys:
    """One side of a join: a key a row, and the row's number from 0 as its id."""

    def __init__(self, side):
        self.rows = side["rows"]
        buffers = [side["valid"] and read(side["valid"]), read(side["keys"])]
        self.keys = pa.Array.from_buffers(TYPES[side["type"]], self.rows, buffers)
        self.schema = pa.schema({"key": self.keys.type, "row": pa.uint32()})

    def batches(self, rows):
        """Arrow record batches of `key` and `row`, of so many rows; one without rows where there are none."""
        for start in range(0, max(self.rows, 1), rows):
            keys = self.keys.slice(start, rows)
            ids = pa.arange(start, start + len(keys)).cast(pa.uint32())
            yield pa.record_batch([keys, ids], schema=self.schema)


def read(path):
    with open(path, "rb") as file:
        return pa.py_buffer(file.read())


def join(engine, consumer, kind):
    """Runs one join. The clock runs around the query alone."""
    start = time.perf_counter()
    result = engine.aggregate(kind) if consumer == "aggregate" else engine.pairs(kind)
    seconds = time.perf_counter() - start
    rows, build, probe = result if consumer == "aggregate" else engine.sums(result)
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
        return join(engine, request["join"], request.get("kind", "inner"))
    if "execute" in request:
        return execute(engine, request["execute"])
    load = request["load"]
    if "plan" in load:
        # Only those who execute plans need what this needs.
        import plans

        engine.load_plan(plans.Plan(load["plan"]))
    else:
        engine.load(Keys(load["build"]), Keys(load["probe"]))
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
