//! What a filter says of NULLs. Filters are not evaluated on generated data, but a comparison lets no NULL pass, and
//! what is selected of a filtered column must not be NULL either.

use super::schema::TableShape;

/// What a filter asks of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The column.
    pub column: usize,
    /// Whether it must be NULL; otherwise it must not.
    pub null: bool,
}

/// What the filter asks of the columns that it names. Of a column that is tested both ways, as in
/// `(note IS NULL) OR (note ~~ 'x')`, nothing is asked.
pub(super) fn asked(filter: &str, table: &TableShape) -> Vec<Asked> {
    let mut asked: Vec<Option<Asked>> = vec![None; table.columns.len()];
    let mut both = vec![false; table.columns.len()];
    let mut rest = filter;
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || c == '\'') {
        rest = &rest[start..];
        if let Some(quoted) = rest.strip_prefix('\'') {
            rest = quoted.split_once('\'').map_or("", |(_, rest)| rest);
            continue;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        if let Some(column) = table.column(name) {
            let null = after.trim_start_matches([')', ' ']).starts_with("IS NULL");
            let before = asked[column].replace(Asked { column, null });
            both[column] |= before.is_some_and(|before| before.null != null);
        }
    }
    let asked = asked.into_iter().flatten();
    asked.filter(|asked| !both[asked.column]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::schema::table;
    use super::*;

    #[test]
    fn comparisons_let_no_null_pass() {
        let table = table("movie_companies").unwrap();
        let note = table.column("note").unwrap();
        let of = |filter| asked(filter, table);
        let value = [Asked {
            column: note,
            null: false,
        }];
        let null = [Asked {
            column: note,
            null: true,
        }];
        assert_eq!(of("(note ~~ '%(co-production)%'::text)"), value);
        assert_eq!(of("((note)::text = 'id'::text)"), value);
        assert_eq!(
            of("((note IS NOT NULL) AND (note ~~ 'a''note'::text))"),
            value
        );
        assert_eq!(of("(note IS NULL)"), null);
        assert_eq!(of("((note IS NULL) OR (note ~~ '%a%'::text))"), []);
        assert_eq!(of("(company_id > 3)").len(), 1);
    }
}
