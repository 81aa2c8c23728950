"""The importer, kept running in a process of limited memory, and tables in one form whoever has read them."""

import json
import resource
import select
import struct
import subprocess

import pyarrow as pa
import pyarrow.compute as pc

# What the process may ask for beyond its own code; files of a few kilobytes need a fraction.
MEMORY = 1 << 30
# What a file of a few kilobytes may take; a busy machine is slow.
SECONDS = 60


class Wrong(Exception):
    """A case that the importer fails."""


class Importer:
    def __init__(self, programs):
        self.programs = programs
        self.process = None

    def __call__(self, files, **options):
        """`ok` and the columns as text, or `error` and the message. Raises where the process ends or hangs."""
        if self.process is None:
            limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            command = [f"{self.programs}/examples/import_many"]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit
            )
        request = json.dumps({"files": files, **options})
        self.process.stdin.write(request.encode() + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        answer = self.process.stdout.readline().decode() if ready else ""
        if not answer.endswith("\n"):
            self.process.kill()
            said = self.process.stderr.read().decode()[-500:]
            status, self.process = self.process.wait(), None
            raise Wrong(f"the importer {'ended' if ready else 'hangs'}, status {status}, on {request}: {said}")
        kind, _, text = answer[:-1].partition(" ")
        if kind == "error" and ("\\n" in text or not text):
            raise Wrong(f"not one line: {text}")
        return kind, text


def fp64(value):
    return struct.pack(">d", value).hex()


def column(name, kind, values):
    """A column as the importer prints it; each value is text already, None for NULL."""
    words = ["x" + name.encode().hex(), kind, *("-" if value is None else value for value in values)]
    return " ".join(words) + ";"


def text(values):
    return [None if value is None else "x" + value.hex() for value in values]


def of_arrow(table, decimals="fp64"):
    """A table that pyarrow has read, as the importer prints it. Raises ValueError where no table folder can hold it."""
    return "".join(column(name, *of_column(values, decimals)) for name, values in zip(table.column_names, table.columns))


def of_column(values, decimals):
    kind = values.type
    integers = lambda values: [None if value is None else str(value) for value in values.to_pylist()]
    if pa.types.is_boolean(kind):
        return "INT32", integers(values.cast(pa.int32()))
    if pa.types.is_integer(kind):
        small = kind.bit_width < 32 or kind == pa.int32()
        return "INT32" if small else "INT64", integers(values)
    if pa.types.is_date32(kind) or kind == pa.time32("ms"):
        return "INT32", integers(values.cast(pa.int32()))
    if pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        return "INT64", integers(values.cast(pa.int64()))
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        wide = values.cast(pa.float64())
        return "FP64", [None if value is None else fp64(value) for value in wide.to_pylist()]
    if pa.types.is_decimal(kind):
        units = [None if value is None else int(value.scaleb(kind.scale)) for value in values.to_pylist()]
        if kind.scale == 0 or decimals == "scaled":
            return "INT64", [None if unit is None else str(unit) for unit in units]
        return "FP64", [None if unit is None else fp64(float(f"{unit}e-{kind.scale}")) for unit in units]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "VARCHAR", text(pc.cast(values, pa.large_binary()).to_pylist())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return "VARCHAR", text(values.to_pylist())
    raise ValueError(f"no counterpart of {kind}")


def difference(ours, theirs):
    """The first column that differs, cut to what a person can read."""
    for left, right in zip(ours.split(";"), theirs.split(";")):
        if left != right:
            left, right = left.split(" "), right.split(" ")
            at = next((n for n, pair in enumerate(zip(left, right)) if pair[0] != pair[1]), min(len(left), len(right)))
            name = bytes.fromhex(left[0][1:]).decode(errors="replace") if left[0] else "?"
            return f"column {name!r}, value {at - 2} of {len(left) - 2} and {len(right) - 2}: {left[at:at + 3]} is not {right[at:at + 3]}"
    return f"{ours[:200]!r} is not {theirs[:200]!r}"


def expect(what, answer, theirs):
    kind, ours = answer
    if kind != "ok":
        raise Wrong(f"{what}: refused: {ours}")
    if ours != theirs:
        raise Wrong(f"{what}: {difference(ours, theirs)}")

