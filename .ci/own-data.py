"""Called by .ci/own-data in an empty folder with TPC-H's orders.parquet; the argument is the harness."""

import json
import random
import subprocess
import sys

import duckdb

HARNESS = sys.argv[1]
VISITS = 60_000
WORKLOAD = """
name = "own"
sentence = "TPC-H orders and visits to them."

[build]
table = "orders"
key = "o_orderkey"

[probe]
table = "visits"
key = "order"
"""


def harness(*arguments):
    done = subprocess.run([HARNESS, *arguments], capture_output=True, text=True)
    print("harness", *arguments)
    if done.returncode != 0:
        sys.exit(f"exit status {done.returncode}: {done.stderr}")
    return done.stdout


def equal(what, ours, theirs):
    if ours != theirs:
        sys.exit(f"{what}: the harness has {ours}, DuckDB has {theirs}")
    print(f"equal  {what}: {ours}")


def aggregate_checksum(*sums):
    """FNV-1a 64 over the 64-bit fields of the one result row."""
    hash = 0xCBF29CE484222325
    for byte in b"".join((sum % 2**64).to_bytes(8, "little") for sum in sums):
        hash = (hash ^ byte) * 0x100000001B3 % 2**64
    return f"{hash:016x}"


def write_visits():
    draw = random.Random(1)

    def field(row):
        if row == 777:
            return '"' + 'twenty kilobytes, ""quoted""\n' * 760 + '"'
        if row % 6 == 0:
            return ""
        return draw.choice(["plain", '"a, b"', '"""quoted"", twice"', '"two\r\nlines"', "ünï"]) + ""

    with open("visits.csv", "w", newline="") as file:
        file.write("note,order,weight\n")
        for row in range(VISITS):
            order = "" if row % 10 == 3 else draw.randrange(400_000)
            weight = "" if row % 7 == 0 else repr(draw.uniform(-1e6, 1e6))
            file.write(f"{field(row)},{order},{weight}\n")


def main():
    sql = duckdb.connect().execute
    write_visits()
    # Another writer, another codec and other encodings than those of the file from TPC-H.
    sql("copy (from 'orders.parquet') to 'by_duckdb.parquet' (codec zstd, row_group_size 10000)")

    harness("table", "import", "orders.parquet", "--out", "orders")
    harness("table", "import", "by_duckdb.parquet", "--out", "by_duckdb")
    harness("table", "import", "visits.csv", "--out", "visits", "--types", "order=INT64")
    for folder in ["orders", "by_duckdb", "visits"]:
        harness("table", "check", folder)
        harness("table", "export", folder, "--out", f"{folder}_back.parquet")

    # Every value, there and back. Dates are days since 1970 and decimals FP64.
    sql("""create view orders_as_ours as select * replace (
        o_orderdate - date '1970-01-01' as o_orderdate, o_totalprice::double as o_totalprice) from 'orders.parquet'""")
    sql("""create table visits_file as from read_csv('visits.csv',
        columns = {'note': 'varchar', 'order': 'bigint', 'weight': 'double'}, header = true, max_line_size = 1000000)""")
    for ours, theirs in [("orders", "orders_as_ours"), ("by_duckdb", "orders_as_ours"), ("visits", "visits_file")]:
        back = f"'{ours}_back.parquet'"
        rows = sql(f"select count(*) from {theirs}").fetchone()[0]
        equal(f"rows of {ours}", sql(f"select count(*) from {back}").fetchone()[0], rows)
        for left, right in [(back, theirs), (theirs, back)]:
            differing = f"select count(*) from (select * from {left} except all select * from {right})"
            equal(f"rows of {left} that {right} lacks", sql(differing).fetchone()[0], 0)
    equal("longest note", sql("select max(strlen(note)) from 'visits_back.parquet'").fetchone()[0], 760 * 27)

    with open("own.toml", "w") as file:
        file.write(WORKLOAD)
    variants = "serial+zero-copy|partitioned+zero-copy"
    arguments = ["--sweep", "--quick", "--samples", "3", "--only", "own.toml", "--only", variants, "--out", "report"]
    harness(*arguments)
    sql("create table build as select o_orderkey as k, file_row_number as r from read_parquet('orders.parquet', file_row_number = true)")
    sql("create table probe as select \"order\" as k, rowid as r from visits_file")
    sums = sql("select count(*), sum(build.r)::hugeint, sum(probe.r)::hugeint from build join probe using (k)").fetchone()
    assert sums[0] > 1000
    with open("report/summary.json") as file:
        results = [result for result in json.load(file)["results"] if result["workload"] == "own"]
    assert results
    for result in results:
        ours = (result["result_rows"], result["checksum"])
        equal(f"the join by {result['variant']}", ours, (sums[0], aggregate_checksum(*sums)))


main()
