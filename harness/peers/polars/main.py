"""Polars: data frames, its streaming engine, which is two to four times as fast as its in-memory engine here."""

import os
import sys

sys.path.insert(0, "..")
import peer

HOW = {"inner": "inner", "probe-outer": "left", "build-outer": "right", "full-outer": "full"}


class Engine:
    def __init__(self, threads):
        # Polars counts its threads once, when it is imported.
        os.environ["POLARS_MAX_THREADS"] = str(threads)
        import polars

        self.pl = polars

    def load(self, build, probe):
        self.build = self.probe = None
        self.build, self.probe = self.frame(build), self.frame(probe)

    def frame(self, keys):
        columns = {name: self.pl.from_arrow(values) for name, values in keys.columns.items()}
        return self.pl.DataFrame(columns).with_row_index("row").lazy()

    def join(self, asked):
        pl, no_row = self.pl, self.pl.lit(peer.NO_ROW, self.pl.UInt32)
        kind = asked.kind
        if asked.condition and (kind, asked.condition) != ("inner", "build.value < probe.value"):
            raise ValueError(f"Polars has no join of the kind {kind} with the condition {asked.condition}")
        if kind in HOW:
            joined = self.probe.join(self.build, on=asked.keys, how=HOW[kind], suffix="_build")
            if asked.condition:
                joined = joined.filter(pl.col("value_build") < pl.col("value"))
            return joined.select(pl.col("row_build").fill_null(no_row), pl.col("row").fill_null(no_row))
        side, how = kind.split("-", 1)
        if how not in ("semi", "anti"):
            raise ValueError(f"Polars has no join of the kind {kind}")
        own, other = (self.probe, self.build) if side == "probe" else (self.build, self.probe)
        rows = own.join(other, on=asked.keys, how=how).select("row")
        mine, none = ("row", "row_build") if side == "probe" else ("row_build", "row")
        return rows.select(pl.col("row").alias(mine), no_row.alias(none))

    def totals(self):
        # A sum of 32-bit numbers would wrap at 32 bits.
        return self.pl.len(), *(self.pl.col(name).cast(self.pl.UInt64).sum() for name in ("row_build", "row"))

    def aggregate(self, asked):
        return self.join(asked).select(self.totals()).collect(engine="streaming").row(0)

    def pairs(self, asked):
        return self.join(asked).collect(engine="streaming")

    def sums(self, pairs):
        return pairs.select(self.totals()).row(0)


    def joined(self, asked):
        columns = [*(f"{name}_build" for name in asked.payload), *asked.payload]
        joined = self.probe.join(self.build, on=asked.keys, how="inner", suffix="_build")
        return joined.select(columns).collect(engine="streaming")

    def sums_of(self, joined):
        half = joined.width // 2
        sums = joined.select(self.pl.all().sum()).row(0)
        return joined.height, sum(sums[:half]), sum(sums[half:])


if "--version" in sys.argv:
    import polars

    print(polars.__version__)
else:
    peer.serve(Engine)
