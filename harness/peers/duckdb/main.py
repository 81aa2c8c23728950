"""DuckDB: tables in memory, SQL."""

import sys

sys.path.insert(0, "..")
import duckdb
import kinds
import peer
import pyarrow as pa

SPELLING = {"semi": "semi join", "anti": "anti join"}


class Engine:
    def __init__(self, threads):
        # Which order results have is free, so DuckDB need not keep it.
        self.db = duckdb.connect(":memory:", config={"threads": threads, "preserve_insertion_order": False})

    def run(self, query):
        # A query has ended, and the next one may begin, when all of its rows have been fetched.
        return self.db.execute(query).fetchall()

    def load(self, build, probe):
        for name, keys in [("build", build), ("probe", probe)]:
            batches = pa.RecordBatchReader.from_batches(keys.schema, keys.batches(1 << 17))
            self.db.register("batches", batches)
            self.run(f"create or replace table {name} as select * from batches")
            self.db.unregister("batches")

    def aggregate(self, asked):
        [sums] = self.run(kinds.sums(asked, **SPELLING))
        return sums

    def pairs(self, asked):
        self.run(f"create temp table pairs as {kinds.results(asked, **SPELLING)}")

    def sums(self, _):
        [sums] = self.run("select count(*), sum(build), sum(probe) from pairs")
        self.run("drop table pairs")
        return sums

    def joined(self, asked):
        self.run(f"create temp table joined as {kinds.rows(asked)}")
        return asked.payload

    def sums_of(self, payload):
        of_side = ["sum(" + " + ".join(f"{side}_{name}" for name in payload) + ")" for side in ("build", "probe")]
        [sums] = self.run(f"select count(*), {', '.join(of_side)} from joined")
        self.run("drop table joined")
        return sums

    def load_plan(self, plan):
        for [name] in self.run("select table_name from duckdb_tables()"):
            self.run(f"drop table {name}")
        for number, table in enumerate(plan.tables):
            self.db.register("arrow", table)
            self.run(f"create table t{number} as select * from arrow")
            self.db.unregister("arrow")
        self.query = plan.sql()

    def execute(self):
        self.run(f"create temp table result as {self.query}")

    def rows(self):
        [[rows]] = self.run("select count(*) from result")
        return rows

    def result(self):
        return self.db.execute("select * from result").to_arrow_table()

    def discard(self):
        self.run("drop table result")


if "--version" in sys.argv:
    print(duckdb.__version__)
else:
    peer.serve(Engine)
