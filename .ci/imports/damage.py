"""Small Parquet files with a byte changed: an import says what is wrong, or reads what pyarrow reads of the same bytes.

Where pyarrow refuses them, it may still read what the file had before: then the byte is of something that is not needed to
know the values, such as statistics.
"""

import os
import random
import subprocess
import sys

import duckdb
import pyarrow.parquet as pq

import parquet_cases
from importer import Wrong, difference

# Places that are changed in each file.
PLACES = 300
# Every decimal is an integer then, and none is refused for its digits.
DECIMALS = "scaled"


class Reader:
    """pyarrow in a process of its own, as it may end on what is damaged."""

    def __init__(self):
        self.process = None

    def __call__(self, path, decimals):
        if self.process is None:
            command = [sys.executable, os.path.join(os.path.dirname(__file__), "reader.py")]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.process.stdin.write(f"{decimals} {path}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer.endswith("\n"):
            self.process.wait()
            self.process = None
            return "error", "pyarrow ended"
        kind, _, text = answer[:-1].partition(" ")
        return kind, text


pyarrow_reads = Reader()


def case(importer, seed):
    draw = random.Random(f"flip {seed}")
    path, checksums = f"{seed}.parquet", draw.random() < 0.5
    schema, makers, encodings = parquet_cases.schema_of(draw)
    table = parquet_cases.table_of(draw, schema, makers, draw.choice([1, 3, 8, 40]))
    if draw.random() < 0.8:
        parquet_cases.write(draw, path, table, encodings, checksums)
    else:
        checksums = False
        codec = draw.choice(["uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4_raw"])
        with duckdb.connect() as connection:
            connection.register("t", table)
            connection.sql(f"copy (from t) to '{path}' (format parquet, codec '{codec}', parquet_version {draw.choice(['V1', 'V2'])})")
    with open(path, "rb") as file:
        good = file.read()
    under_checksum = bodies(path, good) if checksums else range(0)
    before = importer([path], decimals=DECIMALS)[1]
    kind, _ = pyarrow_reads(path, DECIMALS)
    os.remove(path)
    if kind == "error":
        # Some of DuckDB's; nothing can be said of what comes of them.
        return {"files that pyarrow does not read": 1}
    seen = {"refused": 0, "read as pyarrow does": 0, "under a checksum": 0, "refused by pyarrow only": 0}
    changed = f"{'/dev/shm' if os.path.isdir('/dev/shm') else '.'}/joinery-import-{os.getpid()}.parquet"
    try:
        for _ in range(PLACES):
            flip(importer, draw, good, before, under_checksum, changed, f"{path}, {schema}", seen)
    finally:
        os.remove(changed)
    return seen


def flip(importer, draw, good, before, under_checksum, changed, what, seen):
    at = draw.randrange(len(good))
    if draw.random() < 0.5 and under_checksum:
        at = draw.choice(under_checksum)
    by = draw.choice([1 << draw.randrange(8), 1 << draw.randrange(8), draw.randrange(1, 256)])
    bytes = bytearray(good)
    bytes[at] ^= by
    with open(changed, "wb") as file:
        file.write(bytes)
    kind, ours = importer([changed], decimals=DECIMALS)
    what = f"byte {at} of {len(good)} ^ {by:#x}, {what}"
    if at in under_checksum:
        seen["under a checksum"] += 1
        if kind == "ok":
            raise Wrong(f"{what}: read although the page has a checksum")
    if kind == "error":
        seen["refused"] += 1
        return
    theirs, text = pyarrow_reads(changed, DECIMALS)
    if theirs == "ok" and ours != text:
        raise Wrong(f"{what}: {difference(ours, text)}")
    if theirs == "error":
        if ours != before:
            raise Wrong(f"{what}: we read it, and pyarrow says {text}")
        seen["refused by pyarrow only"] += 1
        return
    seen["read as pyarrow does"] += 1


def bodies(path, good):
    """The places of all bytes of pages behind their headers."""
    places = []
    metadata = pq.read_metadata(path)
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(number)
            at = chunk.data_page_offset
            if chunk.has_dictionary_page:
                at = min(at, chunk.dictionary_page_offset)
            end = at + chunk.total_compressed_size
            while at < end:
                size, at = page_header(good, at)
                places += range(at, at + size)
                at += size
    return places


def page_header(bytes, at):
    """Bytes of the page whose header is here, and where they begin: as much of Thrift's compact protocol as it takes."""

    def varint(at):
        value = shift = 0
        while True:
            byte, at = bytes[at], at + 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value, at

    def skip(kind, at):
        if kind in (4, 5, 6):
            return varint(at)[1]
        if kind == 8:
            length, at = varint(at)
            return at + length
        if kind == 12:
            return fields(at)[1]
        return at + {3: 1, 7: 8}.get(kind, 0)

    def fields(at):
        found, number = {}, 0
        while bytes[at]:
            number, kind, at = number + (bytes[at] >> 4), bytes[at] & 15, at + 1
            if kind == 5:
                value, at = varint(at)
                found[number] = value >> 1 ^ -(value & 1)
            else:
                at = skip(kind, at)
        return found, at + 1

    found, at = fields(at)
    assert 4 in found, "no checksum"
    return found[3], at
