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
        return self.pl.DataFrame({"key": self.pl.from_arrow(keys.keys)}).with_row_index("row").lazy()

    def join(self, kind):
        pl, no_row = self.pl, self.pl.lit(peer.NO_ROW, self.pl.UInt32)
        if kind in HOW:
            joined = self.probe.join(self.build, on="key", how=HOW[kind], suffix="_build")
            return joined.select(pl.col("row_build").fill_null(no_row), pl.col("row").fill_null(no_row))
        side, how = kind.split("-", 1)
        if how not in ("semi", "anti"):
            raise ValueError(f"Polars has no join of the kind {kind}")
        own, other = (self.probe, self.build) if side == "probe" else (self.build, self.probe)
        rows = own.join(other, on="key", how=how).select("row")
        mine, none = ("row", "row_build") if side == "probe" else ("row_build", "row")
        return rows.select(pl.col("row").alias(mine), no_row.alias(none))

    def totals(self):
        # A sum of 32-bit numbers would wrap at 32 bits.
        return self.pl.len(), *(self.pl.col(name).cast(self.pl.UInt64).sum() for name in ("row_build", "row"))

    def aggregate(self, kind):
        return self.join(kind).select(self.totals()).collect(engine="streaming").row(0)

    def pairs(self, kind):
        return self.join(kind).collect(engine="streaming")

    def sums(self, pairs):
        return pairs.select(self.totals()).row(0)


if "--version" in sys.argv:
    import polars

    print(polars.__version__)
else:
    peer.serve(Engine)
