"""SQL of each kind of join over the tables `build` and `probe`, for engines that speak SQL.

A result is a pair of row ids. Where it has no row of a side, 4294967295 stands there; of a mark join, 0, 1 or 2 for
FALSE, TRUE or NULL.
"""

from peer import NO_ROW


def results(asked, semi="left semi join", anti="left anti join"):
    """The query of all results, with columns `build` and `probe`; how semi and anti joins are spelt differs."""
    kind, on = asked.kind, condition(asked)
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
    if asked.nulls_equal or len(asked.keys) > 1:
        # No key with a NULL in it is asked what it might equal.
        found = f"exists (select 1 from {other} where {on})"
    else:
        where = f" where {asked.condition}" if asked.condition else ""
        found = f"{side}.key in (select {other}.key from {other}{where})"
    if kind == "null-aware-anti":
        return f"{rows} where not {found}"
    if kind == "mark":
        mark = f"select {found} as mark, {side}.row from {side}"
        code = "case when mark then 1 when mark is null then 2 else 0 end"
        return f"select {code} as {other}, row as {side} from ({mark}) as marked"
    raise ValueError(f"no kind of join is called {side}-{kind} here")


def condition(asked):
    """What holds of a pair of rows."""
    equals = "is not distinct from" if asked.nulls_equal else "="
    keys = [f"probe.{key} {equals} build.{key}" for key in asked.keys]
    return " and ".join([*keys, *([asked.condition] if asked.condition else [])])


def rows(asked):
    """The query of the rows of an inner join: the payload of both sides, as `build_payload0` and so on."""
    if asked.kind != "inner":
        raise ValueError(f"rows of a join of the kind {asked.kind} are not made here")
    columns = [f"{side}.{name} as {side}_{name}" for side in ("build", "probe") for name in asked.payload]
    return f"select {', '.join(columns)} from probe join build on {condition(asked)}"


OUTER = {"probe-outer": "left", "build-outer": "right", "full-outer": "full"}


def sums(asked, **spelling):
    """The query that counts the results and sums both columns."""
    return f"select count(*), sum(build), sum(probe) from ({results(asked, **spelling)}) as results"
