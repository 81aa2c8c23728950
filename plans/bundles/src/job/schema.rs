//! IMDB's tables as the Join Order Benchmark has them: columns, sizes, and what generated values are like.
//!
//! Row counts are those of the data set of May 2013. Shares of NULLs and lengths of text are about as there.

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// 1, 2, 3 and so on.
    Id,
    /// The `id` of a row of this table. Rows of one key lie together if they are clustered.
    Key {
        table: &'static str,
        clustered: bool,
    },
    /// An integer of this range, all alike.
    Number { low: i32, high: i32 },
    /// Text of about this many bytes.
    Text { length: f64 },
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnShape {
    pub name: &'static str,
    pub kind: Kind,
    /// The share of NULLs.
    pub nulls: f64,
}

/// A table.
#[derive(Debug)]
pub(crate) struct TableShape {
    pub name: &'static str,
    /// Rows at scale 1. Tables that are no larger than [`FIXED_ROWS`] have them at every scale.
    pub rows: u64,
    pub columns: &'static [ColumnShape],
}

/// Tables of kinds and types are no larger than this.
pub(crate) const FIXED_ROWS: u64 = 200;

impl TableShape {
    /// The number of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// The table of this name.
pub(crate) fn table(name: &str) -> Option<&'static TableShape> {
    TABLES.iter().find(|table| table.name == name)
}

const ID: ColumnShape = ColumnShape {
    name: "id",
    kind: Kind::Id,
    nulls: 0.0,
};

const fn key(name: &'static str, table: &'static str) -> ColumnShape {
    let clustered = false;
    let kind = Kind::Key { table, clustered };
    let nulls = 0.0;
    ColumnShape { name, kind, nulls }
}

const fn runs(name: &'static str, table: &'static str) -> ColumnShape {
    let clustered = true;
    let kind = Kind::Key { table, clustered };
    let nulls = 0.0;
    ColumnShape { name, kind, nulls }
}

const fn number(name: &'static str, low: i32, high: i32, nulls: f64) -> ColumnShape {
    let kind = Kind::Number { low, high };
    ColumnShape { name, kind, nulls }
}

const fn text(name: &'static str, length: f64, nulls: f64) -> ColumnShape {
    let kind = Kind::Text { length };
    ColumnShape { name, kind, nulls }
}

const fn or_null(column: ColumnShape, nulls: f64) -> ColumnShape {
    ColumnShape { nulls, ..column }
}

#[rustfmt::skip] // related columns on a line
pub(crate) static TABLES: &[TableShape] = &[
    TableShape { name: "aka_name", rows: 901_343, columns: &[
        ID, runs("person_id", "name"), text("name", 16.0, 0.0), text("imdb_index", 2.0, 0.95),
        text("name_pcode_cf", 5.0, 0.03), text("name_pcode_nf", 5.0, 0.1), text("surname_pcode", 4.0, 0.1),
        text("md5sum", 32.0, 0.0)] },
    TableShape { name: "aka_title", rows: 361_472, columns: &[
        ID, runs("movie_id", "title"), text("title", 20.0, 0.0), text("imdb_index", 2.0, 0.95),
        key("kind_id", "kind_type"), number("production_year", 1900, 2013, 0.05), text("phonetic_code", 5.0, 0.05),
        number("episode_of_id", 1, 300_000, 0.9), number("season_nr", 1, 30, 0.9), number("episode_nr", 1, 300, 0.9),
        text("note", 25.0, 0.3), text("md5sum", 32.0, 0.0)] },
    TableShape { name: "cast_info", rows: 36_244_344, columns: &[
        ID, runs("person_id", "name"), key("movie_id", "title"), or_null(key("person_role_id", "char_name"), 0.5),
        text("note", 14.0, 0.6), number("nr_order", 1, 60, 0.6), key("role_id", "role_type")] },
    TableShape { name: "char_name", rows: 3_140_339, columns: &[
        ID, text("name", 16.0, 0.0), text("imdb_index", 2.0, 0.99), number("imdb_id", 1, 999_999, 0.99),
        text("name_pcode_nf", 5.0, 0.05), text("surname_pcode", 4.0, 0.3), text("md5sum", 32.0, 0.0)] },
    TableShape { name: "comp_cast_type", rows: 4, columns: &[ID, text("kind", 9.0, 0.0)] },
    TableShape { name: "company_name", rows: 234_997, columns: &[
        ID, text("name", 22.0, 0.0), text("country_code", 4.0, 0.07), number("imdb_id", 1, 999_999, 0.99),
        text("name_pcode_nf", 5.0, 0.05), text("name_pcode_sf", 5.0, 0.05), text("md5sum", 32.0, 0.0)] },
    TableShape { name: "company_type", rows: 4, columns: &[ID, text("kind", 20.0, 0.0)] },
    TableShape { name: "complete_cast", rows: 135_086, columns: &[
        ID, or_null(key("movie_id", "title"), 0.01), key("subject_id", "comp_cast_type"),
        key("status_id", "comp_cast_type")] },
    TableShape { name: "info_type", rows: 113, columns: &[ID, text("info", 12.0, 0.0)] },
    TableShape { name: "keyword", rows: 134_170, columns: &[
        ID, text("keyword", 15.0, 0.0), text("phonetic_code", 5.0, 0.01)] },
    TableShape { name: "kind_type", rows: 7, columns: &[ID, text("kind", 9.0, 0.0)] },
    TableShape { name: "link_type", rows: 18, columns: &[ID, text("link", 12.0, 0.0)] },
    TableShape { name: "movie_companies", rows: 2_609_129, columns: &[
        ID, runs("movie_id", "title"), key("company_id", "company_name"), key("company_type_id", "company_type"),
        text("note", 30.0, 0.48)] },
    TableShape { name: "movie_info", rows: 14_835_720, columns: &[
        ID, runs("movie_id", "title"), key("info_type_id", "info_type"), text("info", 32.0, 0.0),
        text("note", 18.0, 0.85)] },
    TableShape { name: "movie_info_idx", rows: 1_380_035, columns: &[
        ID, runs("movie_id", "title"), key("info_type_id", "info_type"), text("info", 6.0, 0.0),
        text("note", 8.0, 1.0)] },
    TableShape { name: "movie_keyword", rows: 4_523_930, columns: &[
        ID, runs("movie_id", "title"), key("keyword_id", "keyword")] },
    TableShape { name: "movie_link", rows: 29_997, columns: &[
        ID, runs("movie_id", "title"), or_null(key("linked_movie_id", "title"), 0.02),
        key("link_type_id", "link_type")] },
    TableShape { name: "name", rows: 4_167_491, columns: &[
        ID, text("name", 15.0, 0.0), text("imdb_index", 2.0, 0.95), number("imdb_id", 1, 999_999, 0.99),
        text("gender", 1.0, 0.35), text("name_pcode_cf", 5.0, 0.01), text("name_pcode_nf", 5.0, 0.1),
        text("surname_pcode", 4.0, 0.1), text("md5sum", 32.0, 0.0)] },
    TableShape { name: "person_info", rows: 2_963_664, columns: &[
        ID, runs("person_id", "name"), key("info_type_id", "info_type"), text("info", 70.0, 0.0),
        text("note", 14.0, 0.6)] },
    TableShape { name: "role_type", rows: 12, columns: &[ID, text("role", 9.0, 0.0)] },
    TableShape { name: "title", rows: 2_528_312, columns: &[
        ID, text("title", 18.0, 0.0), text("imdb_index", 2.0, 0.98), key("kind_id", "kind_type"),
        number("production_year", 1900, 2013, 0.03), number("imdb_id", 1, 999_999, 1.0), text("phonetic_code", 5.0, 0.04),
        number("episode_of_id", 1, 300_000, 0.4), number("season_nr", 1, 30, 0.5), number("episode_nr", 1, 300, 0.5),
        text("series_years", 9.0, 0.95), text("md5sum", 32.0, 0.0)] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_table() {
        for column in TABLES.iter().flat_map(|table| table.columns) {
            if let Kind::Key { table: name, .. } = column.kind {
                assert!(table(name).is_some(), "{name}");
            }
        }
        assert_eq!(TABLES.len(), 21);
    }
}
