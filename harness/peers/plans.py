"""Whole plans, for peers written in Python: a plan as SQL, its tables as Arrow, the checksum of a result."""

import json
import os

import numpy as np
import pyarrow as pa

TYPES = {"INT32": pa.int32(), "INT64": pa.int64(), "FP64": pa.float64(), "VARCHAR": pa.large_string()}

BASIS = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)


class Plan:
    """A plan with `tables`: Arrow tables with the columns that it reads, called `c` and their number."""

    def __init__(self, folder):
        with open(os.path.join(folder, "plan.json")) as file:
            plan = json.load(file)
        self.nodes, self.root = plan["nodes"], plan["root"]
        self.tables = [table(folder, described) for described in plan["tables"]]

    def sql(self):
        """A query over tables called `t` and their number, whose columns are called `o` and their number."""
        sources, conditions = [], []

        def outputs(number):
            node = self.nodes[number]
            if "scan" in node:
                sources.append(f"t{node['scan']['base_table']} s{number}")
                return [f"s{number}.c{column}" for column, _ in node["output"]]
            join = node["join"]
            left, right = outputs(join["left"]), outputs(join["right"])
            conditions.append(f"{left[join['left_attr']]} = {right[join['right_attr']]}")
            both = left + right
            return [both[column] for column, _ in node["output"]]

        columns = [f"{column} as o{number}" for number, column in enumerate(outputs(self.root))]
        where = f" where {' and '.join(conditions)}" if conditions else ""
        # There is no query without columns.
        return f"select {', '.join(columns) or '0 as none'} from {', '.join(sources)}{where}"


def table(folder, described):
    columns = {
        f"c{number}": column(folder, described["rows"], files)
        for number, files in enumerate(described["columns"])
        if files is not None
    }
    # There is no table without columns either.
    return pa.table(columns or {"none": pa.nulls(described["rows"], pa.int8())})


def column(folder, rows, files):
    def buffer(name):
        return name and pa.memory_map(os.path.join(folder, name)).read_buffer()

    buffers = [files["valid"], files["ends"], files["values"]]
    if files["type"] != "VARCHAR":
        del buffers[1]
    return pa.Array.from_buffers(TYPES[files["type"]], rows, [buffer(name) for name in buffers])


def checksum(result, rows):
    """The order-independent checksum of a result: FNV-1a 64 over each row's fields, added up."""
    hashes = np.full(rows, BASIS)
    for name in result.column_names:
        if name != "none":
            hash_column(hashes, result[name].combine_chunks())
    return f"{int(np.add.reduce(hashes, dtype=np.uint64)):016x}"


def hash_column(hashes, values):
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    nulls = np.flatnonzero(~valid)
    hash_bytes(hashes, nulls, np.full((len(nulls), 9), [0xFF] * 8 + [1], np.uint8))
    rows = np.flatnonzero(valid)
    values = values.drop_null()
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        wide = np.int64 if pa.types.is_integer(values.type) else np.float64
        hash_bytes(hashes, rows, as_bytes(values.to_numpy(zero_copy_only=False).astype(wide)))
        return
    values = values.cast(pa.large_binary())
    ends = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]
    lengths = np.diff(ends)
    hash_bytes(hashes, rows, as_bytes(lengths))
    # Longest first, so that those with a byte at a place are the first so many.
    order = np.argsort(-lengths)
    rows, starts, lengths = rows[order], ends[:-1][order], lengths[order]
    characters = np.frombuffer(values.buffers()[2] or b"", np.uint8)
    states = hashes[rows]
    for place in range(lengths[0] if len(lengths) else 0):
        some = np.searchsorted(-lengths, -place)
        states[:some] = (states[:some] ^ characters[starts[:some] + place]) * PRIME
    hashes[rows] = states


def as_bytes(values):
    return values.view(np.uint8).reshape(len(values), 8)


def hash_bytes(hashes, rows, fields):
    """Hashes a row of `fields` into each of `rows`, byte by byte."""
    states = hashes[rows]
    for place in range(fields.shape[1]):
        states = (states ^ fields[:, place]) * PRIME
    hashes[rows] = states
