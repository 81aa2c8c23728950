"""Table folders read as docs/page-format.md describes them, without any code of the project."""

import json
import struct

from importer import column, fp64, text

PAGE = 8192


def read(folder):
    """A table folder as the importer prints tables."""
    with open(f"{folder}/table.json") as file:
        meta = json.load(file)
    columns = []
    for described in meta["columns"]:
        with open(f"{folder}/{described['file']}", "rb") as file:
            pages = file.read()
        assert len(pages) == described["pages"] * PAGE
        values = [value for page in range(0, len(pages), PAGE) for value in rows(pages[page : page + PAGE], described["type"])]
        values = joined(values)
        assert len(values) == meta["num_rows"]
        columns.append(column(described["name"], described["type"], values))
    return "".join(columns)


def rows(page, kind):
    """The rows of a page. A piece of a long string is a tuple of whether it is the first one, and its bytes."""
    rows, values = struct.unpack_from("<HH", page)
    if rows >= 0xFFFE:
        return [(rows == 0xFFFF, page[4 : 4 + values])]
    bitmap = page[PAGE - (rows + 7) // 8 :]
    dense = iter(dense_values(page, kind, values))
    return [next(dense) if bitmap[row // 8] >> row % 8 & 1 else None for row in range(rows)]


def dense_values(page, kind, values):
    if kind == "INT32":
        return [str(value) for value in struct.unpack_from(f"<{values}i", page, 4)]
    if kind == "INT64":
        return [str(value) for value in struct.unpack_from(f"<{values}q", page, 8)]
    if kind == "FP64":
        return [fp64(value) for value in struct.unpack_from(f"<{values}d", page, 8)]
    ends = struct.unpack_from(f"<{values}H", page, 4)
    start = 4 + 2 * values
    return text(page[start + begin : start + end] for begin, end in zip((0, *ends), ends))


def joined(values):
    """Long strings out of their pieces."""
    out = []
    for value in values:
        if not isinstance(value, tuple):
            out.append(value)
        elif value[0]:
            out.append("x" + value[1].hex())
        else:
            out[-1] += value[1].hex()
    return out
