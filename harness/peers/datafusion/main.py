"""DataFusion: record batches in memory, divided among partitions; SQL."""

import os
import sys

sys.path.insert(0, "..")
import kinds
import peer

# DataFusion's own 8 K are a few per cent slower here.
BATCH = 32 * 1024


class Engine:
    def __init__(self, threads):
        # Its runtime starts with the first query.
        os.environ["TOKIO_WORKER_THREADS"] = str(threads)
        import datafusion

        # Two partitions a thread: a hash table of half the size, and nobody waits for the last one.
        self.partitions = 2 * threads if threads > 1 else 1
        config = datafusion.SessionConfig().with_target_partitions(self.partitions).with_batch_size(BATCH)
        self.context = datafusion.SessionContext(config)

    def load(self, build, probe):
        for name, keys in [("build", build), ("probe", probe)]:
            self.context.deregister_table(name)
            batches = list(keys.batches(BATCH))
            share = -(-len(batches) // self.partitions) or 1
            partitions = [batches[at : at + share] for at in range(0, len(batches), share)]
            self.context.register_record_batches(name, partitions)

    def aggregate(self, asked):
        [batch] = self.context.sql(kinds.sums(asked)).collect()
        return [column[0].as_py() for column in batch.columns]

    def pairs(self, asked):
        return self.context.sql(kinds.results(asked)).collect()

    def sums(self, pairs):
        return sum(batch.num_rows for batch in pairs), total(pairs, [0]), total(pairs, [1])

    def joined(self, asked):
        return self.context.sql(kinds.rows(asked)).collect()

    def sums_of(self, joined):
        columns = joined[0].num_columns if joined else 0
        sides = range(columns // 2), range(columns // 2, columns)
        return sum(batch.num_rows for batch in joined), *(total(joined, side) for side in sides)


def total(batches, columns):
    import pyarrow.compute

    values = (batch.column(column) for batch in batches for column in columns)
    return sum(pyarrow.compute.sum(each).as_py() or 0 for each in values)


if "--version" in sys.argv:
    import datafusion

    print(datafusion.__version__)
else:
    peer.serve(Engine)
