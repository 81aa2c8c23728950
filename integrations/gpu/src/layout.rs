//! Columns on the device, and how much of a device's memory a flight takes.

use aligned_ingest::SourceColumn;
use aligned_ingest::pages::{NumericAs, SourceType};

use crate::GpuError;

/// Words in front of a flight's validity bits: `FIRST_FLAG` in `kernels.wgsl`.
pub const FIRST_FLAG: u64 = 2;
/// Threads that sums are added up in.
pub const SUM_THREADS: u32 = 1024;
/// Bytes of a flight that are worth its kernels.
const LEAST_FLIGHT: u64 = 4 << 10;
/// A lane has at least a row, so there are at most as many lanes as rows: words of its bounds, its count and its place.
const WORDS_A_LANE: u64 = 4;

/// What becomes of a column on the device. Numbers are those of `kernels.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Bytes as they were sent: text, and what the processor converts.
    Bytes = 0,
    /// To INT32.
    Int2 = 1,
    /// INT32.
    Int4 = 2,
    /// INT64.
    Int8 = 3,
    /// To FP64.
    Float4 = 4,
    /// FP64.
    Float8 = 5,
    /// To INT32.
    Bool = 6,
    /// To INT32.
    Date = 7,
    /// INT64.
    Timestamp = 8,
}

impl Kind {
    /// That of a column.
    pub fn of(column: &SourceColumn) -> Kind {
        match SourceType::of(&column.type_name, NumericAs::Fp64) {
            Some(SourceType::Int2) => Self::Int2,
            Some(SourceType::Int4) => Self::Int4,
            Some(SourceType::Int8) => Self::Int8,
            Some(SourceType::Float4) => Self::Float4,
            Some(SourceType::Float8) => Self::Float8,
            Some(SourceType::Bool) => Self::Bool,
            Some(SourceType::Date) => Self::Date,
            Some(SourceType::Timestamp) => Self::Timestamp,
            Some(SourceType::Text | SourceType::Numeric(_)) | None => Self::Bytes,
        }
    }

    /// Words of a value on the device; none where values lie in the text.
    pub fn words(self) -> u64 {
        match self {
            Self::Bytes => 0,
            Self::Int2 | Self::Int4 | Self::Bool | Self::Date => 1,
            Self::Int8 | Self::Float4 | Self::Float8 | Self::Timestamp => 2,
        }
    }

    /// What a value adds to the sum of its column: what `summand` in `kernels.wgsl` says. `None` where it is none.
    pub fn summand(self, field: &[u8]) -> Option<u64> {
        let epoch_days = 10_957;
        let of_day = |days: i32| match days {
            i32::MIN | i32::MAX => days,
            days => days.wrapping_add(epoch_days),
        };
        let of_time = |time: i64| match time {
            i64::MIN | i64::MAX => time,
            time => time.wrapping_add(i64::from(epoch_days) * 86_400_000_000),
        };
        Some(match self {
            Self::Bytes => field.iter().map(|&byte| u64::from(byte)).sum(),
            Self::Bool => (*field.first()?).into(),
            Self::Int2 => i64::from(i16::from_be_bytes(field.try_into().ok()?)) as u64,
            Self::Int4 => i64::from(i32::from_be_bytes(field.try_into().ok()?)) as u64,
            Self::Int8 | Self::Float8 => u64::from_be_bytes(field.try_into().ok()?),
            Self::Float4 => f64::from(f32::from_be_bytes(field.try_into().ok()?)).to_bits(),
            Self::Date => i64::from(of_day(i32::from_be_bytes(field.try_into().ok()?))) as u64,
            Self::Timestamp => of_time(i64::from_be_bytes(field.try_into().ok()?)) as u64,
        })
    }

    /// Bytes as they are sent, 0 where they vary.
    fn width(self) -> u32 {
        match self {
            Self::Bytes => 0,
            Self::Bool => 1,
            Self::Int2 => 2,
            Self::Int4 | Self::Float4 | Self::Date => 4,
            Self::Int8 | Self::Float8 | Self::Timestamp => 8,
        }
    }
}

/// Where a column lies among the buffers of a flight.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What it holds.
    pub kind: Kind,
    /// Word of its first value, or which column of bytes it is.
    pub at: u64,
    /// Word of its validity, after [`FIRST_FLAG`].
    pub valid: u64,
}

/// Bytes of the buffers of a flight.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Bytes of rows.
    pub bytes: u64,
    /// Rows that there is room for: more cannot be in so many bytes.
    pub rows: u64,
    /// All columns.
    pub columns: Vec<Column>,
    /// How many of them are bytes.
    pub texts: u64,
    /// Words of values.
    pub values: u64,
    /// Words of validity.
    pub valid: u64,
}

impl Layout {
    fn new(kinds: &[Kind], bytes: u64) -> Layout {
        // A row has a number of fields, and each field a length.
        let rows = bytes / (2 + 4 * kinds.len() as u64);
        let (mut texts, mut values, mut valid) = (0, 0, 0);
        let mut columns = Vec::new();
        for &kind in kinds {
            let at = match kind {
                Kind::Bytes => texts,
                _ => values,
            };
            columns.push(Column { kind, at, valid });
            texts += u64::from(kind == Kind::Bytes);
            values += kind.words() * rows;
            valid += rows.div_ceil(32);
        }
        Layout {
            bytes,
            rows,
            columns,
            texts,
            values,
            valid,
        }
    }

    /// The largest flights of rows with these columns of which two fit into `memory`, and each of their buffers into
    /// `bound`. At most `most` bytes of rows, which are all that there are.
    ///
    /// # Errors
    /// If they would be too small.
    pub fn fitting(
        columns: &[SourceColumn],
        memory: u64,
        bound: u64,
        most: u64,
    ) -> Result<Layout, GpuError> {
        let kinds: Vec<Kind> = columns.iter().map(Kind::of).collect();
        let least = LEAST_FLIGHT.max(16 * (2 + 4 * kinds.len() as u64));
        let fits = |bytes: u64| {
            let layout = Layout::new(&kinds, bytes);
            let taken = 2 * layout.memory() <= memory;
            taken && layout.buffers().into_iter().all(|bytes| bytes <= bound)
        };
        if !fits(least) {
            return Err(GpuError::TooLittle {
                given: memory,
                least: 2 * Layout::new(&kinds, least).memory(),
            });
        }
        let (mut low, mut high) = (least, most.max(least).min(1 << 30) + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            *(if fits(middle) { &mut low } else { &mut high }) = middle;
        }
        Ok(Layout::new(&kinds, low))
    }

    /// Bytes of each buffer, in the order of `Buffers`, as if each row was a lane.
    fn buffers(&self) -> [u64; 8] {
        let words = [
            self.rows * WORDS_A_LANE,
            self.rows * (1 + self.texts),
            self.rows * (1 + self.texts),
            FIRST_FLAG + self.valid,
            self.rows,
            self.texts * (self.rows + 1),
            self.values,
        ];
        let mut all = [self.bytes.next_multiple_of(4); 8];
        for (bytes, words) in all[1..].iter_mut().zip(words) {
            *bytes = 4 * words;
        }
        all
    }

    /// Bytes of the text.
    pub fn text(&self) -> u64 {
        self.bytes * self.texts.min(1)
    }

    /// Bytes on the device: the buffers, the text, what rows come through, and what results go through.
    pub fn memory(&self) -> u64 {
        let results = 4 * (self.values + self.valid + self.texts * self.rows) + self.text();
        self.buffers().iter().sum::<u64>() + self.text() + self.bytes + results
    }

    /// The plan as the kernels read it.
    pub fn plan(&self, lanes: u32) -> Vec<u32> {
        let mut words = vec![lanes, self.rows as u32, self.texts as u32];
        for column in &self.columns {
            words.extend([
                column.kind as u32,
                column.kind.width(),
                column.at as u32,
                column.valid as u32,
            ]);
        }
        words
    }
}
