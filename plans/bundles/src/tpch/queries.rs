//! The join graphs of TPC-H queries, their filters and what they select; aggregates and orders are left out.

use generated::Day;
use generated::tpch::{LineItem, REGIONS, day, nation_names, part_colors, part_types};

use super::tables::{
    customers, lines, nations, offers, orders, orders_by_lines, parts, regions, suppliers,
};
use crate::choice::Choice;
use crate::query::Query;

/// A query by the choice of its constants.
pub(crate) type Make = fn(&mut Choice) -> Query;

#[rustfmt::skip] // a line per query
pub(crate) static QUERIES: &[(&str, Make)] = &[
    ("q2", q2), ("q3", q3), ("q5", q5), ("q7", q7), ("q8", q8),
    ("q9", q9), ("q10", q10), ("q18", q18), ("q21", q21),
];

/// Offers of brass parts of one size by the suppliers of a region.
fn q2(choice: &mut Choice) -> Query {
    let size = choice.number(14, 50) as i32 + 1;
    let metals = ["TIN", "NICKEL", "BRASS", "STEEL", "COPPER"];
    let metal = choice.one_of("BRASS", &metals);
    let region = choice.one_of("EUROPE", &REGIONS);
    Query {
        inputs: vec![
            ("region", regions(move |row| row.r_name == region)),
            ("nation", nations(|_| true)),
            ("supplier", suppliers()),
            (
                "part",
                parts(move |row| row.p_size == size && row.p_type.ends_with(metal)),
            ),
            ("partsupp", offers()),
        ],
        joins: &[
            "region.r_regionkey = nation.n_regionkey",
            "nation.n_nationkey = supplier.s_nationkey",
            "part.p_partkey = partsupp.ps_partkey",
            "supplier.s_suppkey = partsupp.ps_suppkey",
        ],
        select: "supplier.s_acctbal supplier.s_name nation.n_name part.p_partkey part.p_mfgr supplier.s_address \
                 supplier.s_phone supplier.s_comment partsupp.ps_supplycost",
    }
}

/// Open orders of a market segment on a day.
fn q3(choice: &mut Choice) -> Query {
    let segments = [
        "AUTOMOBILE",
        "BUILDING",
        "FURNITURE",
        "MACHINERY",
        "HOUSEHOLD",
    ];
    let segment = choice.one_of("BUILDING", &segments);
    let date = Day::of(1995, 3, choice.number(14, 31) as i32 + 1);
    Query {
        inputs: vec![
            (
                "customer",
                customers(move |row| row.c_mktsegment == segment),
            ),
            ("orders", orders(move |row| day(row.o_orderdate) < date)),
            ("lineitem", lines(move |row, _| day(row.l_shipdate) > date)),
        ],
        joins: &[
            "customer.c_custkey = orders.o_custkey",
            "orders.o_orderkey = lineitem.l_orderkey",
        ],
        select: "lineitem.l_orderkey lineitem.l_extendedprice lineitem.l_discount orders.o_orderdate \
                 orders.o_shippriority",
    }
}

/// A year's orders at the suppliers of a region. That customer and supplier be of one nation would close a cycle and is
/// dropped.
fn q5(choice: &mut Choice) -> Query {
    let region = choice.one_of("ASIA", &REGIONS);
    let year = 1993 + choice.number(1, 5) as i32;
    Query {
        inputs: vec![
            ("region", regions(move |row| row.r_name == region)),
            ("nation", nations(|_| true)),
            ("supplier", suppliers()),
            ("customer", customers(|_| true)),
            (
                "orders",
                orders(move |row| day(row.o_orderdate).calendar().0 == year),
            ),
            ("lineitem", lines(|_, _| true)),
        ],
        joins: &[
            "region.r_regionkey = nation.n_regionkey",
            "nation.n_nationkey = supplier.s_nationkey",
            "orders.o_custkey = customer.c_custkey",
            "orders.o_orderkey = lineitem.l_orderkey",
            "supplier.s_suppkey = lineitem.l_suppkey",
        ],
        select: "nation.n_name lineitem.l_extendedprice lineitem.l_discount customer.c_nationkey",
    }
}

/// What two nations ship to each other and within, in two years.
fn q7(choice: &mut Choice) -> Query {
    let names = nation_names();
    let first = choice.one_of("FRANCE", names);
    let others: Vec<_> = names
        .iter()
        .copied()
        .filter(|&name| name != first)
        .collect();
    let second = choice.one_of("GERMANY", &others);
    let either = move || nations(move |row| row.n_name == first || row.n_name == second);
    Query {
        inputs: vec![
            ("n1", either()),
            ("supplier", suppliers()),
            (
                "lineitem",
                lines(|row, _| in_years(day(row.l_shipdate), 1995, 1996)),
            ),
            ("orders", orders(|_| true)),
            ("customer", customers(|_| true)),
            ("n2", either()),
        ],
        joins: &[
            "n1.n_nationkey = supplier.s_nationkey",
            "supplier.s_suppkey = lineitem.l_suppkey",
            "n2.n_nationkey = customer.c_nationkey",
            "customer.c_custkey = orders.o_custkey",
            "orders.o_orderkey = lineitem.l_orderkey",
        ],
        select: "n1.n_name n2.n_name lineitem.l_shipdate lineitem.l_extendedprice lineitem.l_discount",
    }
}

/// Parts of a type that customers of a region ordered in two years, and the supplier's nation.
fn q8(choice: &mut Choice) -> Query {
    let region = choice.one_of("AMERICA", &REGIONS);
    let kind = choice.one_of("ECONOMY ANODIZED STEEL", part_types());
    Query {
        inputs: vec![
            ("part", parts(move |row| row.p_type == kind)),
            ("lineitem", lines(|_, _| true)),
            ("supplier", suppliers()),
            (
                "orders",
                orders(|row| in_years(day(row.o_orderdate), 1995, 1996)),
            ),
            ("customer", customers(|_| true)),
            ("n1", nations(|_| true)),
            ("region", regions(move |row| row.r_name == region)),
            ("n2", nations(|_| true)),
        ],
        joins: &[
            "part.p_partkey = lineitem.l_partkey",
            "lineitem.l_orderkey = orders.o_orderkey",
            "region.r_regionkey = n1.n_regionkey",
            "n1.n_nationkey = customer.c_nationkey",
            "orders.o_custkey = customer.c_custkey",
            "lineitem.l_suppkey = supplier.s_suppkey",
            "n2.n_nationkey = supplier.s_nationkey",
        ],
        select: "orders.o_orderdate lineitem.l_extendedprice lineitem.l_discount n2.n_name",
    }
}

/// All that was sold of parts of a colour, with its cost. Part and supplier of an offer are one INT64 key.
fn q9(choice: &mut Choice) -> Query {
    let color = choice.one_of("green", part_colors());
    Query {
        inputs: vec![
            (
                "part",
                parts(move |row| row.p_name.to_string().contains(color)),
            ),
            ("lineitem", lines(|_, _| true)),
            ("partsupp", offers()),
            ("supplier", suppliers()),
            ("orders", orders(|_| true)),
            ("nation", nations(|_| true)),
        ],
        joins: &[
            "part.p_partkey = lineitem.l_partkey",
            "lineitem.l_pskey = partsupp.ps_key",
            "nation.n_nationkey = supplier.s_nationkey",
            "supplier.s_suppkey = lineitem.l_suppkey",
            "lineitem.l_orderkey = orders.o_orderkey",
        ],
        select: "nation.n_name orders.o_orderdate lineitem.l_extendedprice lineitem.l_discount partsupp.ps_supplycost \
                 lineitem.l_quantity",
    }
}

/// Customers who sent back what they ordered in a quarter.
fn q10(choice: &mut Choice) -> Query {
    let month = choice.number(8, 24) as i32;
    let quarter = Day::month_after(1993, 2, month)..Day::month_after(1993, 2, month + 3);
    Query {
        inputs: vec![
            ("nation", nations(|_| true)),
            ("customer", customers(|_| true)),
            (
                "orders",
                orders(move |row| quarter.contains(&day(row.o_orderdate))),
            ),
            ("lineitem", lines(|row, _| row.l_returnflag == "R")),
        ],
        joins: &[
            "orders.o_custkey = customer.c_custkey",
            "customer.c_nationkey = nation.n_nationkey",
            "orders.o_orderkey = lineitem.l_orderkey",
        ],
        select: "customer.c_custkey customer.c_name lineitem.l_extendedprice lineitem.l_discount customer.c_acctbal \
                 nation.n_name customer.c_address customer.c_phone customer.c_comment",
    }
}

/// Large orders: those of more than 300 pieces.
fn q18(choice: &mut Choice) -> Query {
    let pieces = choice.one_of(300, &[312, 313, 314, 315]);
    let quantity = |lines: &[LineItem<'_>]| lines.iter().map(|line| line.l_quantity).sum::<i64>();
    Query {
        inputs: vec![
            (
                "orders",
                orders_by_lines(move |lines| quantity(lines) > pieces),
            ),
            ("customer", customers(|_| true)),
            ("lineitem", lines(|_, _| true)),
        ],
        joins: &[
            "orders.o_custkey = customer.c_custkey",
            "orders.o_orderkey = lineitem.l_orderkey",
        ],
        select: "customer.c_name customer.c_custkey orders.o_orderkey orders.o_orderdate orders.o_totalprice \
                 lineitem.l_quantity",
    }
}

/// Suppliers of a nation who alone kept an order waiting.
fn q21(choice: &mut Choice) -> Query {
    let nation = choice.one_of("SAUDI ARABIA", nation_names());
    let late = |line: &LineItem<'_>| day(line.l_receiptdate) > day(line.l_commitdate);
    let alone = move |own: &LineItem<'_>, lines: &[LineItem<'_>]| {
        let mut others = lines
            .iter()
            .filter(|line| line.l_suppkey != own.l_suppkey)
            .peekable();
        late(own) && others.peek().is_some() && !others.any(late)
    };
    Query {
        inputs: vec![
            ("nation", nations(move |row| row.n_name == nation)),
            ("supplier", suppliers()),
            ("lineitem", lines(alone)),
            ("orders", orders(|row| row.o_orderstatus.as_str() == "F")),
        ],
        joins: &[
            "nation.n_nationkey = supplier.s_nationkey",
            "supplier.s_suppkey = lineitem.l_suppkey",
            "lineitem.l_orderkey = orders.o_orderkey",
        ],
        select: "supplier.s_name",
    }
}

fn in_years(date: Day, first: i32, last: i32) -> bool {
    (Day::of(first, 1, 1)..Day::of(last + 1, 1, 1)).contains(&date)
}
