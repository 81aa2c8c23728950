//! Queries with the tables of each FROM in another order.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{Select, SelectItem, TableFactor, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use generated::{Draws, Stream};

/// A query whose tables stand in the random order of this number; none where no FROM has several that may change places.
///
/// # Errors
///
/// If the text is no SQL.
pub(crate) fn permuted(text: &str, seed: u64, order: u32) -> Result<Option<String>> {
    let failed = |error: ParserError| DataFusionError::SQL(Box::new(error), None);
    let mut statements = Parser::parse_sql(&GenericDialect {}, text).map_err(failed)?;
    let mut shuffle = Shuffle {
        draws: Stream::new(seed, u64::from(order)).row(0),
        found: false,
    };
    let ControlFlow::Continue(()) = VisitMut::visit(&mut statements, &mut shuffle);
    let texts: Vec<String> = statements.iter().map(ToString::to_string).collect();
    Ok(shuffle.found.then(|| texts.join("; ")))
}

struct Shuffle {
    draws: Draws,
    /// Whether tables have changed places, or might have.
    found: bool,
}

impl VisitorMut for Shuffle {
    type Break = std::convert::Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        if may_change(select) {
            self.found = true;
            // Fisher and Yates.
            for last in (1..select.from.len()).rev() {
                let other = self.draws.below(last as u64 + 1) as usize;
                select.from.swap(last, other);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether the order of a FROM is nobody's business: a star lists columns in it, and a table may see those before it.
fn may_change(select: &Select) -> bool {
    let is_star = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_));
    let tables = select.from.iter();
    let mut factors = tables.flat_map(|table| {
        let joined = table.joins.iter().map(|join| &join.relation);
        std::iter::once(&table.relation).chain(joined)
    });
    let is_plain = |factor: &TableFactor| match factor {
        TableFactor::Table { args, .. } => args.is_none(),
        TableFactor::Derived { lateral, .. } => !lateral,
        TableFactor::NestedJoin { .. } => true,
        _ => false,
    };
    select.from.len() > 1 && !select.projection.iter().any(is_star) && factors.all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_change_places_everywhere_and_nothing_else_does() {
        let query = "with v as (select x.a from x, y where x.a = y.a) \
                     select a.b, (select max(c.d) from c, d, v) from a, b join e on b.i = e.i, f \
                     where exists (select * from g, h) union all select 1, 2 from i";
        let texts: Vec<String> = (1..=20)
            .map(|order| permuted(query, 1, order).unwrap().unwrap())
            .collect();
        for text in &texts {
            assert!(text.contains("b JOIN e ON b.i = e.i"), "{text}");
            assert!(text.contains("FROM g, h"), "a star lists columns: {text}");
            let sorted = |text: &str| {
                let text = text.to_lowercase();
                let words = text.split(|c: char| !(c.is_alphanumeric() || c == '.'));
                let mut words: Vec<String> =
                    words.filter(|w| !w.is_empty()).map(str::to_owned).collect();
                words.sort();
                words
            };
            assert_eq!(sorted(text), sorted(query));
        }
        for from in [
            "FROM a, b JOIN",
            "FROM b JOIN",
            "FROM f, ",
            "FROM y, x",
            "FROM x, y",
        ] {
            assert!(
                texts.iter().any(|text| text.contains(from)),
                "{from}: {texts:?}"
            );
        }
        assert_eq!(
            permuted(query, 1, 7).unwrap(),
            permuted(query, 1, 7).unwrap()
        );
    }

    #[test]
    fn a_query_of_one_table_has_no_other_order() {
        assert_eq!(
            permuted("select a from x where a in (select b from y)", 1, 1).unwrap(),
            None
        );
        assert!(permuted("select (a from b", 1, 1).is_err());
    }
}
