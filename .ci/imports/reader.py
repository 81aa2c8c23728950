"""Reads a Parquet file a line with pyarrow, and prints it as the importer does."""

import resource
import sys

import pyarrow.parquet as pq

from importer import of_arrow

MEMORY = 8 << 30

resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
for line in sys.stdin:
    decimals, path = line.rstrip("\n").split(" ", 1)
    try:
        text = "ok " + of_arrow(pq.read_table(path, page_checksum_verification=True), decimals)
    except BaseException as error:
        text = "error " + repr(error)
    print(text, flush=True)
