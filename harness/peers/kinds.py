"""SQL of each kind of join over the tables `build` and `probe`, for engines that speak SQL.

A result is a pair of row ids. Where it has no row of a side, 4294967295 stands there; of a mark join, 0, 1 or 2 for
FALSE, TRUE or NULL.
"""

from peer import NO_ROW


def results(asked, semi="left semi join", anti="left anti join"):
    """The query of all results, with columns `build` and `probe`; how semi and anti joins are spelt differs."""
    kind = asked.kind
    on = " and ".join(f"probe.{key} = build.{key}" for key in asked.keys)
    if asked.condition:
        on = f"{on} and {asked.condition}"
    if kind == "inner":
        return f"select build.row as build, probe.row as probe from probe join build on {on}"
    if kind in OUTER:
        columns = f"coalesce(build.row, {NO_ROW}) as build, coalesce(probe.row, {NO_ROW}) as probe"
        return f"select {columns} from probe {OUTER[kind]} join build on {on}"
    side, kind = kind.split("-", 1)
    other = "build" if side == "probe" else "probe"
    rows = f"select {NO_ROW} as {other}, {side}.row as {side} from {side}"
    if kind == "semi":
        return f"{rows} {semi} {other} on {on}"
    if kind == "anti":
        return f"{rows} {anti} {other} on {on}"
    if asked.condition or len(asked.keys) > 1:
        raise ValueError(f"a join of the kind {asked.kind} has no condition and one key column here")
    if kind == "null-aware-anti":
        return f"{rows} where {side}.key not in (select key from {other})"
    if kind == "mark":
        mark = f"select key in (select key from {other}) as mark, row from {side}"
        code = "case when mark then 1 when mark is null then 2 else 0 end"
        return f"select {code} as {other}, row as {side} from ({mark}) as marked"
    raise ValueError(f"no kind of join is called {side}-{kind} here")


OUTER = {"probe-outer": "left", "build-outer": "right", "full-outer": "full"}


def sums(asked, **spelling):
    """The query that counts the results and sums both columns."""
    return f"select count(*), sum(build), sum(probe) from ({results(asked, **spelling)}) as results"
