"""Time of ``joinery.join`` and of polars' own join on the same polars frames, and of ``joinery.pairs`` and ``joinery.measure``.

    python benches/speed.py [--rounds 11] [--size default] [--only NAME] [--write]

Each number of threads has a process of its own, since polars reads it once. In it both joins take turns, each round in another
order; a time includes the result as a polars frame. Stated is polars at its best number of threads against joinery in the same
process: medians, and the quartiles of the ratio in single rounds. ``--write`` puts the table into README.md, between its markers.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

CASES = ["pk-fk-1m", "n-m-4m", "strings-1m"]
README = Path(__file__).resolve().parents[1] / "README.md"
MARKERS = "<!-- speed -->", "<!-- /speed -->"


def frames(name, size):
    """Two frames with the workload's keys and two payload columns each."""
    import numpy as np
    import polars as pl

    import joinery

    workload = joinery.workload(name, size)
    keys = [pl.Series("k", side) for side in workload]
    keys = [key.cast(pl.String) if key.dtype == pl.Binary else key for key in keys]
    numbers = np.random.default_rng(1)
    made = []
    for side, key in zip("lr", keys):
        rows = len(key)
        made.append(pl.DataFrame({
            "k": key,
            f"{side}0": np.arange(rows, dtype=np.int64),
            f"{side}1": numbers.random(rows),
        }))
    return workload, *made


def seconds(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def answer(frame):
    return frame.height, frame["l0"].sum(), frame["r0"].sum()


def child(name, size, rounds):
    """Measures one workload at the number of threads of this process."""
    import polars as pl

    import joinery

    threads = int(os.environ["POLARS_MAX_THREADS"])
    workload, left, right = frames(name, size)
    contenders = {
        "joinery": lambda: pl.DataFrame(joinery.join(left, right, on="k", threads=threads)),
        "polars": lambda: left.join(right, on="k"),
        "pairs": lambda: joinery.pairs(left["k"], right["k"], threads=threads),
    }
    answers = {answer(contenders[of]()) for of in ("joinery", "polars")}
    assert len(answers) == 1, answers
    assert len(contenders["pairs"]()) == workload.rows
    times = {of: [] for of in contenders}
    order = random.Random(1)
    for _ in range(rounds):
        turns = list(contenders)
        order.shuffle(turns)
        for of in turns:
            times[of].append(seconds(contenders[of])[0])
    run = joinery.measure({name: workload}, variants="adaptive", pairs=True, threads=threads, rounds=rounds, progress=False)
    samples = pl.DataFrame(run)
    assert len(run.failures) == 0
    ratios = [polars / ours for polars, ours in zip(times["polars"], times["joinery"])]
    low, _, high = statistics.quantiles(ratios, n=4)
    times["measure"] = samples["seconds"].to_list()
    medians = {of: statistics.median(of_one) for of, of_one in times.items()}
    environment = pl.DataFrame(run.environment)
    machine = f"{environment['cpu'].item()}, {environment['cores'].item()} processors; polars {pl.__version__}"
    shape = {"rows": workload.rows, "left": left.height, "right": right.height}
    print(json.dumps({"machine": machine, "threads": threads, **shape, **medians, "low": low, "high": high}))


def measure(name, size, rounds):
    """The numbers of the process in which polars was at its best, and the best of joinery."""
    found = []
    for threads in range(1, len(os.sched_getaffinity(0)) + 1):
        command = [sys.executable, __file__, "--child", name, "--size", size, "--rounds", str(rounds)]
        environment = {**os.environ, "POLARS_MAX_THREADS": str(threads)}
        output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        found.append(json.loads(output.splitlines()[-1]))
        print(name, found[-1], file=sys.stderr)
    return min(found, key=lambda numbers: numbers["polars"])


def table(size, rounds, only):
    rows = [
        "| workload | rows: left, right, result | threads | polars, ms | joinery, ms | polars / joinery (quartiles) | `pairs`, ms | `pairs` / `measure` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in only or CASES:
        of = measure(name, size, rounds)
        shape = ", ".join(f"{of[side]:,}" for side in ("left", "right", "rows"))
        rows.append(
            f"| {name} | {shape} | {of['threads']} | {of['polars'] * 1e3:.0f} | {of['joinery'] * 1e3:.0f} "
            f"| **{of['polars'] / of['joinery']:.2f}** ({of['low']:.2f}–{of['high']:.2f}) "
            f"| {of['pairs'] * 1e3:.1f} | {of['pairs'] / of['measure']:.2f} |"
        )
        machine = of["machine"]
    return "\n".join([*rows, "", f"On {machine}; {rounds} rounds."])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--size", default="default", choices=["quick", "default", "full"])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return child(arguments.child, arguments.size, arguments.rounds)
    made = table(arguments.size, arguments.rounds, arguments.only)
    print(made)
    if arguments.write:
        begin, end = MARKERS
        text = README.read_text()
        written = re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{made}\n{end}", text, flags=re.DOTALL)
        README.write_text(written)


if __name__ == "__main__":
    main()
