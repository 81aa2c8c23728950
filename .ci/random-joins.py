"""Asks DuckDB for the joins that `harness verify --answers` prints, and compares the answers."""

import json
import pathlib
import sys
import time
from collections import Counter

import duckdb

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "harness/peers"))
import kinds

# As they are called in SQL.
TYPES = {"INT32": "integer", "INT64": "bigint", "VARCHAR": "varchar"}


class Asked:
    """What `kinds` asks for, of a line."""

    def __init__(self, line):
        self.kind, self.condition, self.nulls_equal = line["kind"], line["condition"], line["nulls_equal"]
        self.keys = ["key" if nth == 0 else f"key{nth}" for nth in range(len(line["types"]))]


def literal(value, of):
    if value is None:
        return f"null::{of}"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def table(name, columns, types):
    """A side as a common table expression: its keys, and row ids from 0 on."""
    types = [TYPES[of] for of in types]
    keys = ["key" if nth == 0 else f"key{nth}" for nth in range(len(types))]
    rows = [
        f"({row}, {', '.join(map(literal, fields, types))})" for row, fields in enumerate(zip(*columns))
    ]
    # What no row has has a type all the same.
    rows.append(f"(-1, {', '.join(f'null::{of}' for of in types)})")
    named = ", ".join(["row", *keys])
    return f"{name} as (select * from (values {', '.join(rows)}) as rows ({named}) where row >= 0)"


def main():
    db = duckdb.connect(":memory:", config={"threads": 1})
    began, wrong, seen, first, last = time.monotonic(), 0, Counter(), None, None
    for text in sys.stdin:
        line = json.loads(text)
        last = line["seed"]
        first = last if first is None else first
        sides = [table(side, line[side], line["types"]) for side in ("build", "probe")]
        results = kinds.results(Asked(line), semi="semi join", anti="anti join")
        query = f"with {', '.join(sides)} select build, probe from ({results}) as results order by build, probe"
        answer = db.execute(query).fetchall()
        seen[line["kind"]] += 1
        if answer != [tuple(pair) for pair in line["results"]]:
            wrong += 1
            print(
                f"WRONG  {line['variant']} {line['toggles']}: {line['kind']} of {line['types']},"
                f" NULLs {'equal' if line['nulls_equal'] else 'differ'}, {line['condition']}: {line['results']},"
                f" but DuckDB {answer}; again by: .ci/random-joins 1 {last}; the query: {query[:2000]}"
            )
        if seen.total() % 5000 == 0:
            print(f"       {seen.total()} joins, up to seed {last}", flush=True)
    if wrong or not seen:
        sys.exit(f"{wrong} of {seen.total()} answers differ from DuckDB's")
    named = ", ".join(f"{count} {kind}" for kind, count in sorted(seen.items()))
    print(f"DuckDB agrees on {seen.total()} joins, seeds {first} to {last}: {named}; {time.monotonic() - began:.0f} s")


main()
