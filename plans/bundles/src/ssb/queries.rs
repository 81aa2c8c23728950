//! The thirteen queries of the Star Schema Benchmark: their joins, filters and columns; aggregates are left out.

use std::ops::RangeInclusive;

use generated::ssb::{Date, Lineorder, Part, Party, city};
use generated::tpch::{REGIONS, nation_names};

use super::tables::{customers, dates, lineorders, parts, suppliers};
use crate::choice::Choice;
use crate::query::Query;
use crate::rows::TableMaker;
use crate::tpch::queries::Make;

#[rustfmt::skip] // a line per flight
pub(crate) static QUERIES: &[(&str, Make)] = &[
    ("q1.1", q1_1), ("q1.2", q1_2), ("q1.3", q1_3),
    ("q2.1", q2_1), ("q2.2", q2_2), ("q2.3", q2_3),
    ("q3.1", q3_1), ("q3.2", q3_2), ("q3.3", q3_3), ("q3.4", q3_4),
    ("q4.1", q4_1), ("q4.2", q4_2), ("q4.3", q4_3),
];

/// What a year's discounts of some quantities would have brought.
fn flight_1(
    date: impl Fn(&Date) -> bool + 'static,
    discount: RangeInclusive<i64>,
    quantity: RangeInclusive<i64>,
) -> Query {
    let keep =
        move |row: &Lineorder| discount.contains(&row.discount) && quantity.contains(&row.quantity);
    Query {
        inputs: vec![("date", dates(date)), ("lineorder", lineorders(keep))],
        joins: &["date.d_datekey = lineorder.lo_orderdate"],
        select: "lineorder.lo_extendedprice lineorder.lo_discount",
    }
}

fn q1_1(choice: &mut Choice) -> Query {
    let year = a_year(choice, 1993);
    flight_1(move |date| date.year == year, 1..=3, 1..=24)
}

fn q1_2(choice: &mut Choice) -> Query {
    let (year, month) = (a_year(choice, 1994), choice.number(0, 12) as i32 + 1);
    flight_1(
        move |date| (date.year, date.month) == (year, month),
        4..=6,
        26..=35,
    )
}

fn q1_3(choice: &mut Choice) -> Query {
    let (year, week) = (a_year(choice, 1994), choice.number(5, 52) as i32 + 1);
    flight_1(
        move |date| (date.year, date.week) == (year, week),
        5..=7,
        26..=35,
    )
}

/// The revenue of brands with suppliers of a region.
fn flight_2(part: impl Fn(&Part) -> bool + 'static, region: &'static str) -> Query {
    Query {
        inputs: vec![
            ("part", parts(part)),
            ("supplier", suppliers(move |row| row.region == region)),
            ("date", dates(|_| true)),
            ("lineorder", all_lines()),
        ],
        joins: &[
            "part.p_partkey = lineorder.lo_partkey",
            "supplier.s_suppkey = lineorder.lo_suppkey",
            "date.d_datekey = lineorder.lo_orderdate",
        ],
        select: "lineorder.lo_revenue date.d_year part.p_brand1",
    }
}

fn q2_1(choice: &mut Choice) -> Query {
    let category = a_category(choice, "12");
    flight_2(
        move |part| part.category == category,
        a_region(choice, "AMERICA"),
    )
}

fn q2_2(choice: &mut Choice) -> Query {
    let category = a_category(choice, "22");
    let first = choice.number(20, 32) + 1;
    let brands = format!("{category}{first:02}")..=format!("{category}{:02}", first + 7);
    flight_2(
        move |part| brands.contains(&part.brand),
        a_region(choice, "ASIA"),
    )
}

fn q2_3(choice: &mut Choice) -> Query {
    let brand = format!(
        "{}{:02}",
        a_category(choice, "22"),
        choice.number(38, 40) + 1
    );
    flight_2(move |part| part.brand == brand, a_region(choice, "EUROPE"))
}

/// The revenue between customers and suppliers of places.
fn flight_3(
    place: impl Fn(&Party) -> bool + Clone + 'static,
    date: impl Fn(&Date) -> bool + 'static,
    by_city: bool,
) -> Query {
    Query {
        inputs: vec![
            ("customer", customers(place.clone())),
            ("supplier", suppliers(place)),
            ("date", dates(date)),
            ("lineorder", all_lines()),
        ],
        joins: &[
            "supplier.s_suppkey = lineorder.lo_suppkey",
            "customer.c_custkey = lineorder.lo_custkey",
            "date.d_datekey = lineorder.lo_orderdate",
        ],
        select: match by_city {
            true => "customer.c_city supplier.s_city date.d_year lineorder.lo_revenue",
            false => "customer.c_nation supplier.s_nation date.d_year lineorder.lo_revenue",
        },
    }
}

fn six_years(date: &Date) -> bool {
    (1992..=1997).contains(&date.year)
}

fn q3_1(choice: &mut Choice) -> Query {
    let region = a_region(choice, "ASIA");
    flight_3(move |place| place.region == region, six_years, false)
}

fn q3_2(choice: &mut Choice) -> Query {
    let nation = a_nation(choice, "UNITED STATES");
    flight_3(move |place| place.nation == nation, six_years, true)
}

fn q3_3(choice: &mut Choice) -> Query {
    let cities = two_cities(choice);
    flight_3(move |place| cities.contains(&place.city), six_years, true)
}

fn q3_4(choice: &mut Choice) -> Query {
    let cities = two_cities(choice);
    let (year, month) = (a_year(choice, 1997), choice.number(11, 12) as i32 + 1);
    flight_3(
        move |place| cities.contains(&place.city),
        move |date| (date.year, date.month) == (year, month),
        true,
    )
}

/// The profit on parts of some makers between places.
fn flight_4(
    customer: impl Fn(&Party) -> bool + 'static,
    supplier: impl Fn(&Party) -> bool + 'static,
    part: impl Fn(&Part) -> bool + 'static,
    date: impl Fn(&Date) -> bool + 'static,
    select: &'static str,
) -> Query {
    Query {
        inputs: vec![
            ("customer", customers(customer)),
            ("supplier", suppliers(supplier)),
            ("part", parts(part)),
            ("date", dates(date)),
            ("lineorder", all_lines()),
        ],
        joins: &[
            "supplier.s_suppkey = lineorder.lo_suppkey",
            "customer.c_custkey = lineorder.lo_custkey",
            "part.p_partkey = lineorder.lo_partkey",
            "date.d_datekey = lineorder.lo_orderdate",
        ],
        select,
    }
}

fn two_makers(choice: &mut Choice) -> impl Fn(&Part) -> bool + 'static {
    let first = choice.number(0, 4) + 1;
    let makers = [format!("MFGR#{first}"), format!("MFGR#{}", first + 1)];
    move |part| makers.contains(&part.maker)
}

fn q4_1(choice: &mut Choice) -> Query {
    let region = a_region(choice, "AMERICA");
    let here = move |place: &Party| place.region == region;
    let makers = two_makers(choice);
    let select = "date.d_year customer.c_nation lineorder.lo_revenue lineorder.lo_supplycost";
    flight_4(here, here, makers, |_| true, select)
}

fn q4_2(choice: &mut Choice) -> Query {
    let region = a_region(choice, "AMERICA");
    let here = move |place: &Party| place.region == region;
    let makers = two_makers(choice);
    let years = two_years(choice);
    let select = "date.d_year supplier.s_nation part.p_category lineorder.lo_revenue lineorder.lo_supplycost";
    flight_4(here, here, makers, years, select)
}

fn q4_3(choice: &mut Choice) -> Query {
    let region = a_region(choice, "AMERICA");
    let nation = a_nation(choice, "UNITED STATES");
    let category = a_category(choice, "14");
    let years = two_years(choice);
    let select =
        "date.d_year supplier.s_city part.p_brand1 lineorder.lo_revenue lineorder.lo_supplycost";
    flight_4(
        move |place| place.region == region,
        move |place| place.nation == nation,
        move |part| part.category == category,
        years,
        select,
    )
}

fn all_lines() -> TableMaker {
    lineorders(|_| true)
}

fn a_year(choice: &mut Choice, usual: i32) -> i32 {
    choice.one_of(usual, &[1992, 1993, 1994, 1995, 1996, 1997])
}

fn two_years(choice: &mut Choice) -> impl Fn(&Date) -> bool + 'static {
    let first = choice.one_of(1997, &[1992, 1993, 1994, 1995, 1996, 1997]);
    move |date| (first..first + 2).contains(&date.year)
}

fn a_region(choice: &mut Choice, usual: &'static str) -> &'static str {
    choice.one_of(usual, &REGIONS)
}

fn a_nation(choice: &mut Choice, usual: &'static str) -> &'static str {
    choice.one_of(usual, nation_names())
}

/// A category, usually of this maker and number.
fn a_category(choice: &mut Choice, usual: &'static str) -> String {
    let all: Vec<String> = (0..25)
        .map(|n| format!("{}{}", n / 5 + 1, n % 5 + 1))
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    format!("MFGR#{}", choice.one_of(usual, &all))
}

fn two_cities(choice: &mut Choice) -> [String; 2] {
    let nation = a_nation(choice, "UNITED KINGDOM");
    let first = choice.number(1, 6) as i64;
    [city(nation, first), city(nation, first + 4)]
}
