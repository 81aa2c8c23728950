"""Called by .ci/import in an empty folder; the first argument is where the programs are."""

import argparse
import sys
import time

import csv_cases
import damage
import parquet_cases
from importer import Importer, Wrong

KINDS = {
    "parquet": parquet_cases.case,
    "duckdb": parquet_cases.duckdb_case,
    "csv": csv_cases.case,
    "duckdb-csv": csv_cases.duckdb_case,
    "broken-csv": csv_cases.broken_case,
    "flip": damage.case,
}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("programs")
    arguments.add_argument("--cases", type=int, default=60, help="of each kind of file")
    arguments.add_argument("--flips", type=int, default=60, help="files to damage, each at some hundred places")
    arguments.add_argument("--seconds", type=float, default=float("inf"), help="stop after these, wherever it is")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--only", help="KIND:SEED, as a failure prints it")
    arguments = arguments.parse_args()
    importer = Importer(arguments.programs)
    if arguments.only:
        kind, seed = arguments.only.split(":")
        print(KINDS[kind](importer, int(seed)))
        return
    began, passed, failed = time.monotonic(), 0, 0
    totals = {kind: {} for kind in KINDS}
    rounds = max(arguments.cases, arguments.flips)
    for number in range(rounds):
        for kind, case in KINDS.items():
            count = arguments.flips if kind == "flip" else arguments.cases
            # Spread over all rounds, so that a run that is cut short has some of each.
            if number * count // rounds == (number + 1) * count // rounds:
                continue
            if time.monotonic() - began > arguments.seconds:
                break
            seed = arguments.seed * 1_000_000 + number
            try:
                seen = case(importer, seed)
                passed += 1
                for what, times in seen.items():
                    totals[kind][what] = totals[kind].get(what, 0) + times
            except Wrong as wrong:
                failed += 1
                print(f"WRONG  --only {kind}:{seed}\n{wrong}", flush=True)
    for kind, seen in totals.items():
        print(f"{kind}: " + ", ".join(f"{times} {what}" for what, times in sorted(seen.items())))
    print(f"{time.monotonic() - began:.0f} s, seeds from {arguments.seed * 1_000_000}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
