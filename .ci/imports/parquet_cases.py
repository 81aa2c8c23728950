"""Random Parquet files of pyarrow and DuckDB."""

import decimal
import os
import random
import shutil
import subprocess

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import folder
from importer import Wrong, expect, of_arrow

CODECS = ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]
WORDS = ["", "a", "ab", "abc", "abd", "ü", "x" * 40, "prefix-1", "prefix-2", "prefix-22"]


def integers(bits, signed=True):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    edges = [low, high, 0, 1, low // 2]
    return lambda draw: draw.choice([draw.choice(edges), draw.randint(low, high), draw.randint(0, 5) % (high + 1)])


def floats(draw):
    edges = [0.0, -0.0, 1.5, float("inf"), float("-inf"), 5e-324, 1e308, 0.1]
    return draw.choice([draw.choice(edges), draw.uniform(-1e9, 1e9), float(draw.randint(0, 5))])


def words(draw):
    return draw.choice([draw.choice(WORDS), "".join(draw.choices("abcdeé", k=draw.randint(0, 12)))])


def long_words(draw):
    return words(draw) * draw.choice([1, 1, 1, 3000])


def digits(precision, scale):
    def value(draw):
        units = draw.choice([0, 1, -1, 10**precision - 1, draw.randint(-(10**precision) + 1, 10**precision - 1)])
        return decimal.Decimal(units).scaleb(-scale)

    return value


DELTA = ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
STRINGS = ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]
FIXED = ["PLAIN", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"]
# A type, its values, and the encodings of its values besides a dictionary.
TYPES = [
    (pa.bool_(), lambda draw: draw.random() < 0.5, ["PLAIN", "RLE"]),
    *((pa.int8(), integers(8), DELTA), (pa.int16(), integers(16), DELTA), (pa.int32(), integers(32), DELTA)),
    *((pa.int64(), integers(64), DELTA), (pa.uint8(), integers(8, False), DELTA), (pa.uint16(), integers(16, False), DELTA)),
    *((pa.uint32(), integers(32, False), DELTA), (pa.uint64(), integers(63, False), DELTA)),
    (pa.float32(), lambda draw: draw.choice([0.5, -0.0, float("nan"), draw.uniform(-9, 9)]), ["PLAIN", "BYTE_STREAM_SPLIT"]),
    (pa.float64(), floats, ["PLAIN", "BYTE_STREAM_SPLIT"]),
    (pa.date32(), integers(20), DELTA),
    *((pa.time32("ms"), integers(26, False), DELTA), (pa.time64("us"), integers(36, False), DELTA)),
    (pa.time64("ns"), integers(46, False), DELTA),
    *((pa.timestamp(unit, zone), integers(50), DELTA) for unit in ["ms", "us", "ns"] for zone in [None, "UTC"]),
    *((pa.decimal128(p, s), digits(p, s), FIXED) for p, s in [(5, 2), (9, 0), (15, 4), (15, 15), (18, 0)]),
    (pa.string(), words, STRINGS),
    (pa.large_string(), long_words, STRINGS),
    (pa.binary(), lambda draw: draw.randbytes(draw.randint(0, 20)), STRINGS),
    (pa.binary(7), lambda draw: draw.choice([b"1234567", draw.randbytes(7)]), FIXED),
]


def schema_of(draw):
    fields, makers, encodings = [], [], {}
    for number in range(draw.randint(1, 6)):
        kind, make, possible = draw.choice(TYPES)
        name = f"c{number}" if draw.random() < 0.8 else f"c {number},ä"
        fields.append(pa.field(name, kind, nullable=draw.random() < 0.7))
        makers.append(make)
        if draw.random() < 0.6:
            encodings[name] = draw.choice(possible)
    return pa.schema(fields), makers, encodings


def table_of(draw, schema, makers, rows):
    columns = []
    for field, make in zip(schema, makers):
        nulls = draw.choice([0, 0, 0.1, 0.5, 1]) if field.nullable else 0
        repeat = draw.choice([1, 1, 20])
        values = []
        while len(values) < rows:
            value = None if draw.random() < nulls else make(draw)
            values += [value] * draw.randint(1, repeat)
        columns.append(array(values[:rows], field.type))
    return pa.table(columns, schema=schema)


def array(values, kind):
    if pa.types.is_temporal(kind):
        raw = pa.int32() if kind.bit_width == 32 else pa.int64()
        return pa.array(values, raw).cast(kind)
    return pa.array(values, kind)


def write(draw, path, table, encodings, checksums=None):
    # What is in nanoseconds needs the newest version, and INT96 is: too few for all that is in milliseconds.
    units = {field.type.unit for field in table.schema if pa.types.is_timestamp(field.type)}
    old_timestamps = draw.random() < 0.2 and "ms" not in units
    if old_timestamps:
        encodings = {}
    pq.write_table(
        table,
        path,
        version="2.6" if "ns" in units else draw.choice(["1.0", "2.4", "2.6"]),
        compression=draw.choice(CODECS),
        use_dictionary=[name for name in table.column_names if name not in encodings] if draw.random() < 0.7 else False,
        column_encoding=encodings or None,
        data_page_version=draw.choice(["1.0", "2.0"]),
        data_page_size=draw.choice([1 << 20, 2000, 100]),
        write_batch_size=draw.choice([1024, 7]),
        row_group_size=draw.choice([1 << 20, 100, max(1, len(table) // 2)]),
        write_page_checksum=draw.random() < 0.5 if checksums is None else checksums,
        write_statistics=draw.random() < 0.5,
        write_page_index=draw.random() < 0.2,
        dictionary_pagesize_limit=draw.choice([1 << 20, 200]),
        use_deprecated_int96_timestamps=old_timestamps,
        store_decimal_as_integer=draw.random() < 0.5 and not any(pa.types.is_decimal(f.type) and f.name in encodings for f in table.schema),
        store_schema=False,
    )


def read(paths, columns=None):
    return pa.concat_tables([pq.read_table(path, columns=columns, page_checksum_verification=True) for path in paths])


def case(importer, seed):
    draw = random.Random(f"parquet {seed}")
    schema, makers, encodings = schema_of(draw)
    files = [f"{seed}_{number}.parquet" for number in range(draw.choice([1, 1, 2, 3]))]
    state = draw.random()
    for path in files:
        table = table_of(draw, schema, makers, draw.choice([0, 1, 5, 300, 3000]))
        # The same settings for each of the files, as what they mean must be the same.
        write(random.Random(state), path, table, encodings)
    decimals = draw.choice(["fp64", "scaled"])
    theirs = of_arrow(read(files), decimals)
    expect(f"{files}, {schema}", importer(files, decimals=decimals), theirs)
    seen = {"files": len(files)}
    if draw.random() < 0.1:
        expect_program(importer, files, ["--decimals", decimals], theirs)
        seen["folders read byte by byte"] = 1
    for path in files:
        os.remove(path)
    return seen


def expect_program(importer, files, options, theirs):
    """The program itself, whose table folder is read by what the page format says."""
    shutil.rmtree("table", ignore_errors=True)
    done = subprocess.run([f"{importer.programs}/tables", "import", *files, "--out", "table", *options], capture_output=True, text=True)
    if done.returncode != 0:
        raise Wrong(f"tables import {files}: status {done.returncode}: {done.stderr}")
    expect(f"the folder of {files}", ("ok", folder.read("table")), theirs)


def duckdb_case(importer, seed):
    draw = random.Random(f"duckdb {seed}")
    schema, makers, _ = schema_of(draw)
    table = table_of(draw, schema, makers, draw.choice([0, 1, 50, 5000]))
    path = f"{seed}.parquet"
    codec = draw.choice(["uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4_raw"])
    with duckdb.connect() as connection:
        connection.register("t", table)
        version = draw.choice(["V1", "V2"])
        connection.sql(f"copy (from t) to '{path}' (format parquet, codec '{codec}', parquet_version {version}, row_group_size {draw.choice([2048, 100_000])})")
    decimals = draw.choice(["fp64", "scaled"])
    theirs = {name: column for name in table.column_names if (column := read_column(path, name)) is not None}
    if not theirs:
        return {"that pyarrow does not read": 1}
    answer = importer([path], columns=list(theirs), decimals=decimals)
    expect(f"{path}, {codec}, {schema}", answer, "".join(of_arrow(column, decimals) for column in theirs.values()))
    os.remove(path)
    return {"files": 1}


def read_column(path, name):
    """A column of DuckDB's. Its differences of no value, or of unsigned numbers, are none for pyarrow."""
    try:
        return read([path], [name])
    except OSError:
        with duckdb.connect() as connection:
            column = connection.sql(f"""select "{name}" from '{path}'""").to_arrow_table()
        # DuckDB has units of its own.
        return column if pa.types.is_integer(column.schema.types[0]) else None
