"""Random CSV files of Python's csv and of DuckDB, and broken ones."""

import csv
import os
import random
import re
from decimal import Decimal

import duckdb

from importer import Wrong, column, expect, fp64
from parquet_cases import expect_program

NUMBERS = ["0", "-1", "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807", "9223372036854775808",
           "-9223372036854775808", "007", "+1", "-0", "1.5", "0.1", ".5", "5.", "-0.0", "1e3", "1E-7", "1e-400", "1e400", "007.1",
           "+1.5", "0.12345678901234567890", "9007199254740993", "9007199254740992", "9007199254740993.0", "12345678901234567.89",
           "0.30000000000000004", "1e22", "1e23", "5e-324", "3e-324", "1.7976931348623157e308", "nan", "inf", "1_0", " 1", "٣", "1e", "e1",
           "0x1p3", "--1", "1.2.3", "1e+05", "0.10", "1e-05", "100000000000000000000000.0"]
TEXTS = ["", "a", "a b", "x,y", "x;y", 'say "hi"', "it's", "two\nlines", "cr\rlf\r\n", "\\", 'b\\"q', "tab\there", "ü", "NULL", "NA", "#", " lead",
         "\0", "long " * 2000]


def integer(field):
    usual = re.fullmatch("-?(0|[1-9][0-9]*)", field, re.A) and field != "-0"
    return int(field) if usual and -(1 << 63) <= int(field) < 1 << 63 else None


def kept(field):
    """Whether FP64 gives the digits back."""
    value = float(field)
    return value not in (float("inf"), float("-inf")) and Decimal(field) == Decimal(repr(value))


def guess(fields):
    """The type of a column by the rules of docs/own-data.md, and its values as they are printed."""
    some = [field for field in fields if field is not None]
    numbers = [integer(field) for field in some]
    if some and None not in numbers:
        small = all(-(1 << 31) <= number < 1 << 31 for number in numbers)
        return "INT32" if small else "INT64", [field if field is None else str(int(field)) for field in fields]
    decimal = "-?(0|[1-9][0-9]*|)([.][0-9]*)?([eE][+-]?[0-9]+)?"
    def is_decimal(field):
        if integer(field) is not None:
            return kept(field)
        shape = re.fullmatch(decimal, field, re.A) and re.search("[.eE]", field) and re.search("^-?[0-9.]*[0-9]", field)
        return shape and kept(field)
    if some and all(is_decimal(field) for field in some):
        return "FP64", [field if field is None else fp64(float(field)) for field in fields]
    return "VARCHAR", [field if field is None else "x" + field.encode().hex() for field in fields]


def table(names, rows, nulls):
    columns = zip(*rows) if rows else ([] for _ in names)
    return "".join(column(name, *guess([None if field in nulls else field for field in fields])) for name, fields in zip(names, columns))


def draw_table(draw):
    columns = draw.choice([1, 1, 2, 3, 5])
    kinds = [draw.choice(["int", "number", "number", "text", "any"]) for _ in range(columns)]
    few = draw.sample(NUMBERS, 3)
    def field(kind):
        if draw.random() < 0.15:
            return draw.choice(["", "NULL"])
        if kind == "int":
            return str(draw.randint(-5, 1 << draw.choice([3, 31, 40])))
        if kind == "number":
            return draw.choice([draw.choice(few), repr(draw.uniform(-1e3, 1e3)), str(draw.randint(0, 9))])
        return draw.choice(TEXTS if kind == "text" else TEXTS + NUMBERS)
    rows = [[field(kind) for kind in kinds] for _ in range(draw.choice([0, 1, 3, 40]))]
    return rows


def quoted(field, quote, escape):
    special = {quote, escape}
    return quote + "".join(escape + char if char in special else char for char in field) + quote


def write(draw, path, rows, dialect, header):
    """By Python's csv, or by hand where a character of its own stands before quotes."""
    delimiter, quote, escape, end, quoting = dialect
    with open(path, "w", newline="", encoding="utf-8-sig" if draw.random() < 0.1 else "utf-8") as file:
        if escape == quote:
            # The writer does not quote all that ends a line for its reader.
            if any(set(field) & {"\n", "\r"} for row in rows for field in row):
                quoting = csv.QUOTE_ALL
            writer = csv.writer(file, delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=quoting)
            # Unlike this writer, most leave the line empty where the only field is.
            bare = draw.random() < 0.5
            for row in ([header] if header else []) + rows:
                file.write(end) if bare and row == [""] and row is not header else writer.writerow(row)
        else:
            for row in ([header] if header else []) + rows:
                plain = lambda field: field and not set(field) & {delimiter, quote, escape, "\n", "\r"} and draw.random() < 0.5
                file.write(delimiter.join(field if plain(field) else quoted(field, quote, escape) for field in row) + end)


def read(path, dialect, header):
    """By Python's csv, in its strict mode; empty lines are rows of one empty field where there is one column."""
    delimiter, quote, escape, _, _ = dialect
    options = {"doublequote": True} if escape == quote else {"doublequote": False, "escapechar": escape}
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file, delimiter=delimiter, quotechar=quote, strict=True, **options))
    if header:
        while rows and not rows[0]:
            rows.pop(0)
    first = next((row for row in rows if row), None)
    if first is None:
        raise csv.Error("empty")
    rows = [row or [""] for row in rows if row or len(first) == 1]
    if any(len(row) != len(first) for row in rows):
        raise csv.Error("fields")
    return rows[0] if header else [f"column{number + 1}" for number in range(len(first))], rows[1:] if header else rows


def draw_dialect(draw):
    delimiter = draw.choice([",", ",", ";", "\t", "|"])
    quote = draw.choice(['"', '"', "'"])
    escape = draw.choice([quote, quote, "\\"])
    return delimiter, quote, escape, draw.choice(["\n", "\r\n", "\r"]), draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])


def case(importer, seed):
    draw = random.Random(f"csv {seed}")
    dialect, rows = draw_dialect(draw), draw_table(draw)
    width = len(rows[0]) if rows else 2
    header = [draw.choice(["k", 'quoted "name"', "a,b", "é"]) + str(number) for number in range(width)] if draw.random() < 0.7 or not rows else None
    nulls = draw.choice([[""], ["NULL"], ["", "NULL"]])
    path = f"{seed}.csv"
    write(draw, path, rows, dialect, header)
    names = header or [f"column{number + 1}" for number in range(width)]
    if header is None and all(row == [""] for row in rows):
        return {"without a record": 1}
    theirs = table(names, rows, nulls)
    if dialect[2] == dialect[1]:
        assert read(path, dialect, header) == (names, rows), f"Python reads something else: {path}"
    options = {"delimiter": dialect[0], "quote": dialect[1], "escape": dialect[2], "nulls": nulls, "header": header is not None}
    expect(f"{path}, {dialect}", importer([path], csv=options), theirs)
    seen = {"files": 1}
    if draw.random() < 0.1:
        arguments = ["--delimiter", dialect[0], "--quote", dialect[1], "--escape", dialect[2]]
        for null in nulls:
            arguments += ["--null", null]
        expect_program(importer, [path], arguments + ([] if header else ["--no-header"]), theirs)
        seen["folders read byte by byte"] = 1
    os.remove(path)
    return seen


def duckdb_case(importer, seed):
    draw = random.Random(f"duckdb csv {seed}")
    rows = draw_table(draw)
    width = len(rows[0]) if rows else 1
    # DuckDB writes NULL for what is one of these.
    rows = [[None if field in ("", "NULL") else field.replace("\0", "") or None for field in row] for row in rows]
    path = f"{seed}.csv"
    delimiter, escape, null = draw.choice([",", ";"]), draw.choice(['"', "\\"]), draw.choice(["", "NULL"])
    with duckdb.connect() as connection:
        connection.execute(f"create table t ({', '.join(f'c{number} varchar' for number in range(width))})")
        if rows:
            connection.executemany(f"insert into t values ({', '.join('?' * width)})", rows)
        force = ", force_quote *" if draw.random() < 0.3 and null == "" else ""
        connection.execute(f"copy t to '{path}' (header, delimiter '{delimiter}', escape '{escape}', nullstr '{null}'{force})")
    theirs = table([f"c{number}" for number in range(width)], [[null if field is None else field for field in row] for row in rows], [null])
    options = {"delimiter": delimiter, "escape": escape, "nulls": [null]}
    expect(f"{path}, escape {escape}", importer([path], csv=options), theirs)
    os.remove(path)
    return {"files": 1}


def broken_case(importer, seed):
    """Bytes put in, taken out and changed: what Python's strict reader takes is read the same, what it refuses is refused."""
    draw = random.Random(f"broken csv {seed}")
    dialect = (",", '"', '"', draw.choice(["\n", "\r\n"]), csv.QUOTE_MINIMAL)
    path = f"{seed}.csv"
    seen = {"read the same": 0, "refused by both": 0}
    for number in range(30):
        width = draw.choice([1, 2, 3])
        rows = [[draw.choice(["1", "a", "", 'q"q', "x,y", "l\nl"]) for _ in range(width)] for _ in range(4)]
        write(draw, path, rows, dialect, None)
        with open(path, "rb") as file:
            text = bytearray(file.read())
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(text) + 1)
            text[at : at + draw.choice([0, 1])] = draw.choice([b"", b'"', b'""', b",", b"\n", b"\r", b"x", b" ", b"\xff"])
        with open(path, "wb") as file:
            file.write(text)
        answer = importer([path], csv={"header": False})
        try:
            names, rows = read(path, dialect, None)
        except (csv.Error, UnicodeDecodeError):
            if answer[0] == "ok":
                raise Wrong(f"number {number}, {bytes(text)!r}: Python refuses, we read {answer[1]}") from None
            seen["refused by both"] += 1
            continue
        expect(f"number {number}, {bytes(text)!r}", answer, table(names, rows, [""]))
        seen["read the same"] += 1
    os.remove(path)
    return seen
