//! What of the pipelined executor can be switched off, to measure what it is worth.

/// Techniques of the pipelined executor; all are on by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Inputs are read in an order of our own: those first of which least will be left. Off: in the plan's order.
    pub own_order: bool,
    /// The order is planned again after each input, when its true size is known. Off: by table sizes, once.
    pub replan: bool,
    /// The keys that an input leaves filter all later scans with a column of their class.
    pub filters: bool,
    /// Inputs that were read are tested again by the filters of later ones, and leave stricter ones, where more is still to be
    /// read by these.
    pub narrow: bool,
    /// A single key left is an equality test, and needs no join.
    pub constants: bool,
    /// Nothing more is read once an input has no rows left.
    pub early_end: bool,
    /// Scans test 64 rows into a bit mask, and then read other columns of survivors alone. Off: a list of rows grows
    /// by each test.
    pub bitmasks: bool,
    /// Hashed tables have 16-bit tags beside their directory.
    pub tags: bool,
    /// Tables of dense keys are indexed by the key itself. Off: always hashed.
    pub direct: bool,
    /// Rows that differ in nothing that the result shows are counted, not repeated.
    pub multiplicity: bool,
    /// Result values that appear many times are looked up once, as 8-byte references.
    pub references: bool,
    /// Each thread writes result pages. Off: one writes all.
    pub parallel_write: bool,
    /// Small work is done by the calling thread alone, and nothing is done for its sake. Off: all work is shared, and saved where it
    /// can be.
    pub small_alone: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            own_order: true,
            replan: true,
            filters: true,
            narrow: true,
            constants: true,
            early_end: true,
            bitmasks: true,
            tags: true,
            direct: true,
            multiplicity: true,
            references: true,
            parallel_write: true,
            small_alone: true,
        }
    }
}

impl Options {
    /// The names of all techniques, as [`Options::without`] takes them, each with a sentence.
    #[rustfmt::skip] // a line per technique
    pub const NAMES: [(&'static str, &'static str); 13] = [
        ("own-order", "inputs in an order of its own, not the plan's"),
        ("replan", "the order planned again as sizes become known"),
        ("filters", "keys that are left filter all later scans of their class"),
        ("narrow", "inputs tested again by later filters before others are read"),
        ("constants", "a single key left becomes an equality test"),
        ("early-end", "an input without rows ends the execution"),
        ("bitmasks", "scans test 64 rows into a bit mask"),
        ("tags", "16-bit tags beside the directory of hashed tables"),
        ("direct", "tables of dense keys indexed by the key itself"),
        ("multiplicity", "counts in place of repeated rows"),
        ("references", "repeated result values looked up once, as 8-byte references"),
        ("parallel-write", "each thread writes result pages"),
        ("small-alone", "small work on the calling thread alone"),
    ];

    /// The same without the technique of that name; `None` where there is none.
    #[must_use]
    pub fn without(mut self, name: &str) -> Option<Options> {
        let technique = match name {
            "own-order" => &mut self.own_order,
            "replan" => &mut self.replan,
            "filters" => &mut self.filters,
            "narrow" => &mut self.narrow,
            "constants" => &mut self.constants,
            "early-end" => &mut self.early_end,
            "bitmasks" => &mut self.bitmasks,
            "tags" => &mut self.tags,
            "direct" => &mut self.direct,
            "multiplicity" => &mut self.multiplicity,
            "references" => &mut self.references,
            "parallel-write" => &mut self.parallel_write,
            "small-alone" => &mut self.small_alone,
            _ => return None,
        };
        *technique = false;
        Some(self)
    }
}
