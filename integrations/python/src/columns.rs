//! The columns of a join's result: which they are, what they are called, and their values.

use std::collections::HashSet;

use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, Schema};
use harness::nearest::did_you_mean;
use join_core::join::Side;
use join_core::kind::Kind;
use join_core::memory::{Buffer, OutOfMemory, Reservation};
use join_core::output::Pair;
use join_core::parallel::Tasks;

use crate::error::Error;
use crate::export::Table;
use crate::gather::{Place, Refusal, Rows, Source, room};
use crate::how::{self, Order};
use crate::import::Frame;
use crate::join::{Question, Sides};
use crate::rows::{RowPairs, truths};
use crate::work::Means;

/// Rows that are gathered together, and that stand together in the result.
const BLOCK: usize = 1 << 18;

/// Rows that follow one another are a slice of their column instead, where they are so many: shorter chunks would cost whoever
/// reads them more than that saves.
const RUN: usize = 1 << 14;

/// The name of a mark join's column.
const MARK: &str = "mark";

/// Where a column of the result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// A column of a side.
    Side(Side, usize),
    /// Whether the row has a partner.
    Mark,
}

/// A column of the result.
#[derive(Debug)]
struct Output {
    name: String,
    from: From,
}

/// The columns of a result.
#[derive(Debug)]
pub(crate) struct Outputs {
    columns: Vec<Output>,
    kind: Kind,
}

impl Outputs {
    /// Those of the left frame, then those of the right one, which get `suffix` where the left one has the name, too. A key
    /// stands there once, except in a full join. `wanted` picks some of them by name.
    ///
    /// # Errors
    ///
    /// Two of them have the same name, or one that is wanted is not there.
    pub(crate) fn new(
        sides: &Sides,
        kind: Kind,
        suffix: &str,
        wanted: Option<Vec<String>>,
    ) -> Result<Self, Error> {
        let (left, right) = (&sides.build, &sides.probe);
        let has = |side| how::has_rows(kind, side);
        // Of a key that is the same on both sides, that of the side is kept whose rows are all there.
        let without_left_keys = kind == Kind::Outer(Side::Probe);
        let without_right_keys =
            has(Side::Build) && !matches!(kind, Kind::FullOuter | Kind::Outer(Side::Probe));
        let mut columns = Vec::new();
        let mut names: HashSet<String> = HashSet::new();
        for (number, column) in left.columns.iter().enumerate().filter(|_| has(Side::Build)) {
            if !(without_left_keys && sides.build_keys.contains(&number)) {
                names.insert(column.field.name().clone());
                columns.push(Output {
                    name: column.field.name().clone(),
                    from: From::Side(Side::Build, number),
                });
            }
        }
        for (number, column) in right
            .columns
            .iter()
            .enumerate()
            .filter(|_| has(Side::Probe))
        {
            if !(without_right_keys && sides.probe_keys.contains(&number)) {
                let name = column.field.name();
                let name = match names.contains(name) {
                    true => format!("{name}{suffix}"),
                    false => name.clone(),
                };
                columns.push(Output {
                    name,
                    from: From::Side(Side::Probe, number),
                });
            }
        }
        if let Kind::Mark(_) = kind {
            let name = match names.contains(MARK) {
                true => format!("{MARK}{suffix}"),
                false => MARK.to_owned(),
            };
            columns.push(Output {
                name,
                from: From::Mark,
            });
        }
        let outputs = Self { columns, kind };
        let outputs = match wanted {
            None => outputs,
            Some(wanted) => outputs.picked(&wanted)?,
        };
        outputs.check_names(suffix)?;
        Ok(outputs)
    }

    fn check_names(&self, suffix: &str) -> Result<(), Error> {
        let mut names = HashSet::new();
        let twice = self
            .columns
            .iter()
            .find(|column| !names.insert(column.name.as_str()));
        twice.map_or(Ok(()), |column| {
            Err(Error::Value(format!(
                "the result would have two columns {:?}; rename one, or give another suffix than {suffix:?}",
                column.name
            )))
        })
    }

    fn picked(self, wanted: &[String]) -> Result<Self, Error> {
        let columns = wanted.iter().enumerate().map(|(nth, name)| {
            if wanted[..nth].contains(name) {
                return Err(Error::Value(format!("columns: {name:?} is named twice")));
            }
            let mut found = self.columns.iter().filter(|column| column.name == *name);
            let (found, other) = (found.next(), found.next());
            if other.is_some() {
                return Err(Error::Value(format!(
                    "columns: the result has several columns {name:?}; rename them"
                )));
            }
            let found = found.ok_or_else(|| {
                let names = self.columns.iter().map(|column| column.name.as_str());
                Error::Value(format!(
                    "columns: the result has no column {name:?}{}",
                    did_you_mean(name, names)
                ))
            })?;
            Ok(Output {
                name: found.name.clone(),
                from: found.from,
            })
        });
        Ok(Self {
            columns: columns.collect::<Result<_, Error>>()?,
            kind: self.kind,
        })
    }

    /// Joins, and gathers the result's columns by all threads. The variant is given the smaller side to make a table of where
    /// no order is asked.
    ///
    /// # Errors
    ///
    /// The keys cannot be joined, a column cannot be gathered, or memory runs out.
    pub(crate) fn joined(
        &self,
        sides: &Sides,
        question: &Question,
        order: Order,
        means: &Means,
    ) -> Result<Table, Error> {
        let blocks = match order.side(self.kind) {
            Some(side) => {
                let gathering = self.gathering(sides, side, means)?;
                let rows = sides.row_pairs(question, order, means)?;
                gathering.blocks(Part::all(&rows).map(Found::Rows).collect(), means)?
            }
            None => {
                let is_swapped = sides.build.rows() > sides.probe.rows();
                let follows = match is_swapped {
                    true => Side::Build,
                    false => Side::Probe,
                };
                let gathering = self.gathering(sides, follows, means)?;
                let pairs = sides.pairs(is_swapped, question, means)?;
                gathering.blocks(Found::all(pairs, is_swapped), means)?
            }
        };
        Table::new(self.schema(sides), blocks)
    }

    fn schema(&self, sides: &Sides) -> Schema {
        let fields = self.columns.iter().map(|column| match column.from {
            From::Mark => Field::new(&column.name, DataType::Boolean, true),
            From::Side(side, number) => {
                let frame: &Frame = side.of(&sides.build, &sides.probe);
                let field = &frame.columns[number].field;
                let nullable = field.is_nullable() || how::lacks_rows(self.kind, side);
                let field = field.as_ref().clone();
                field.with_name(&column.name).with_nullable(nullable)
            }
        });
        Schema::new(fields.collect::<Vec<_>>())
    }

    /// What is gathered of pairs whose rows of one side mostly follow one another.
    fn gathering<'a>(
        &'a self,
        sides: &'a Sides,
        follows: Side,
        means: &Means,
    ) -> Result<Gathering<'a>, Error> {
        let of = |side: Side| match side {
            Side::Build => &sides.build,
            Side::Probe => &sides.probe,
        };
        let mut shared = means.memory.reserve(0)?;
        let mut source = |from: From| match from {
            From::Mark => Ok(None),
            From::Side(side, number) => {
                let frame: &Frame = of(side);
                Source::of(&frame.columns[number], frame.what, &mut shared).map(Some)
            }
        };
        let froms = self.columns.iter().map(|column| match self.kind {
            Kind::Inner => sides.same_key(column.from, follows),
            _ => column.from,
        });
        let froms: Vec<From> = froms.collect();
        let sources = froms.iter().map(|&from| source(from));
        Ok(Gathering {
            outputs: self,
            sources: sources.collect::<Result<_, _>>()?,
            froms,
            frames: [of(Side::Build), of(Side::Probe)],
            follows,
            _shared: shared,
        })
    }
}

/// Columns of a range of rows.
type Block = (usize, Vec<ArrayData>);

impl Sides {
    /// Where the values of a key of equal rows are read: on the side whose rows follow one another, if they are the same ones
    /// there, bit by bit.
    fn same_key(&self, from: From, follows: Side) -> From {
        let From::Side(side, number) = from else {
            return from;
        };
        let (own, other) = match side {
            Side::Build => (&self.build_keys, &self.probe_keys),
            Side::Probe => (&self.probe_keys, &self.build_keys),
        };
        let other = own.iter().zip(other).find(|(own, _)| **own == number);
        let data_type = |side: Side, number: usize| {
            let frame: &Frame = side.of(&self.build, &self.probe);
            frame.columns[number].field.data_type()
        };
        match other {
            Some((_, &other)) if side != follows => {
                let own = data_type(side, number);
                let has_one_form = !own.is_floating() && !matches!(own, DataType::Dictionary(..));
                match has_one_form && own == data_type(follows, other) {
                    true => From::Side(follows, other),
                    false => from,
                }
            }
            _ => from,
        }
    }
}

/// What is gathered, and from where.
struct Gathering<'a> {
    outputs: &'a Outputs,
    froms: Vec<From>,
    sources: Vec<Option<Source>>,
    /// Of the build side and of the probe side.
    frames: [&'a Frame; 2],
    /// The side whose rows mostly follow one another.
    follows: Side,
    /// What columns have that all blocks share.
    _shared: Reservation,
}

/// Pairs that are gathered together.
#[derive(Clone, Copy)]
struct Part<'a> {
    build: &'a [u32],
    probe: &'a [u32],
}

/// Pairs that are gathered together, as they were found.
enum Found<'a> {
    /// The rows of both sides.
    Rows(Part<'a>),
    /// Pairs, and whether they name their rows the other way round.
    Pairs(Vec<Buffer<Pair>>, bool),
}

impl Found<'_> {
    /// Those of chunks, as many together as are at most [`BLOCK`]: no chunk is larger.
    fn all(chunks: Vec<Buffer<Pair>>, is_swapped: bool) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let mut room = 0;
        for chunk in chunks {
            match all.last_mut() {
                Some(Self::Pairs(chunks, _)) if chunk.len() <= room => {
                    room -= chunk.len();
                    chunks.push(chunk);
                }
                _ => {
                    room = BLOCK.saturating_sub(chunk.len());
                    all.push(Self::Pairs(vec![chunk], is_swapped));
                }
            }
        }
        all
    }

    fn len(&self) -> usize {
        match self {
            Self::Rows(part) => part.len(),
            Self::Pairs(chunks, _) => chunks.iter().map(|chunk| chunk.len()).sum(),
        }
    }

    /// The rows of both sides; those of pairs, which are given back, in `rows`, which has room for the `longest`, and whose bytes
    /// `reservation` grows by.
    fn part<'r>(
        self,
        longest: usize,
        [build, probe]: &'r mut [Vec<u32>; 2],
        reservation: &mut Reservation,
    ) -> Result<Part<'r>, OutOfMemory>
    where
        Self: 'r,
    {
        let (chunks, is_swapped) = match self {
            Self::Rows(part) => return Ok(part),
            Self::Pairs(chunks, is_swapped) => (chunks, is_swapped),
        };
        for rows in [&mut *build, &mut *probe] {
            rows.clear();
            if rows.capacity() < longest {
                *rows = room(longest, reservation)?;
            }
        }
        let (of_build, of_probe) = match is_swapped {
            false => (&mut *build, &mut *probe),
            true => (&mut *probe, &mut *build),
        };
        for chunk in chunks {
            of_build.extend(chunk.iter().map(|pair| pair.build));
            of_probe.extend(chunk.iter().map(|pair| pair.probe));
        }
        Ok(Part { build, probe })
    }
}

impl<'a> Part<'a> {
    /// The pairs in parts of at most [`BLOCK`].
    fn all(pairs: &'a RowPairs) -> impl Iterator<Item = Self> {
        let parts = pairs.build.chunks(BLOCK).zip(pairs.probe.chunks(BLOCK));
        parts.map(|(build, probe)| Self { build, probe })
    }

    fn len(self) -> usize {
        self.build.len()
    }

    fn split_at(self, at: usize) -> [Self; 2] {
        let (build, probe) = (self.build.split_at(at), self.probe.split_at(at));
        [(build.0, probe.0), (build.1, probe.1)].map(|(build, probe)| Self { build, probe })
    }

    /// In pieces: each [`RUN`] of rows of a side that follow one another, or more, and what lies between.
    fn runs(self, side: Side) -> Vec<Self> {
        /// Some of these lie inside of each run, wherever it begins.
        const WINDOW: usize = RUN / 2;
        let rows = side.of(self.build, self.probe);
        let (mut pieces, mut rest, mut done) = (Vec::new(), self, 0);
        for (number, window) in rows.as_chunks::<WINDOW>().0.iter().enumerate() {
            let at = number * WINDOW;
            // Most windows are ruled out by their ends.
            let is_apart = window[WINDOW - 1].wrapping_sub(window[0]) as usize != WINDOW - 1;
            if at < done || is_apart || run_len(window) < WINDOW {
                continue;
            }
            let before = rows[done..at].iter().rev().zip(1..);
            let before =
                before.take_while(|&(&row, back)| row.checked_add(back) == Some(window[0]));
            let first = at - before.count();
            let run = run_len(&rows[first..]);
            if run >= RUN {
                let [between, from_run] = rest.split_at(first - done);
                let [of_run, after] = from_run.split_at(run);
                pieces.extend([between, of_run]);
                (rest, done) = (after, first + run);
            }
        }
        pieces.push(rest);
        pieces.retain(|piece| piece.len() > 0);
        pieces
    }
}

/// How many of the first rows follow one another.
fn run_len(rows: &[u32]) -> usize {
    let first = rows.first().map_or(0, |&row| u64::from(row));
    let mut expected = (first..).zip(rows);
    let end = expected.position(|(expected, &row)| u64::from(row) != expected);
    end.unwrap_or(rows.len())
}

impl Gathering<'_> {
    /// The columns of all pairs.
    fn blocks(&self, found: Vec<Found<'_>>, means: &Means) -> Result<Vec<Block>, Error> {
        let workers = means.team.workers_for(found.iter().map(Found::len).sum());
        // Of one size, so that they are what an earlier join has left.
        let longest = found.iter().map(Found::len).max().unwrap_or(0);
        let parts = Tasks::new(found);
        let gathered = means.team.run(vec![(); workers], |_, ()| {
            let mut places = [Vec::new(), Vec::new()];
            let (mut rows, mut of_rows) = ([Vec::new(), Vec::new()], means.memory.reserve(0)?);
            let mut blocks = Vec::new();
            while let Some((number, found)) = parts.take() {
                let mut reservation = means.memory.reserve(0)?;
                let mut of_part = Vec::new();
                let part = found.part(longest, &mut rows, &mut of_rows)?;
                self.part(part, &mut places, &mut reservation, &mut of_part)?;
                blocks.push((number, reservation, of_part));
            }
            Ok::<_, Error>(blocks)
        });
        let mut blocks = Vec::new();
        for of_worker in gathered {
            blocks.extend(of_worker?);
        }
        blocks.sort_by_key(|(number, ..)| *number);
        let blocks = blocks.into_iter();
        Ok(blocks.flat_map(|(_, _, of_part)| of_part).collect())
    }

    /// The columns of a part, in pieces where some of its rows follow one another.
    fn part(
        &self,
        part: Part<'_>,
        places: &mut [Vec<Place>; 2],
        reservation: &mut Reservation,
        blocks: &mut Vec<Block>,
    ) -> Result<(), Error> {
        let pieces = part.runs(self.follows);
        if pieces.len() > 1 {
            match self.pieces(part, &pieces, places, reservation) {
                Ok(of_pieces) => {
                    blocks.extend(of_pieces);
                    return Ok(());
                }
                Err((_, Refusal::TooLong)) => {}
                Err((from, refusal)) => return Err(refusal.of(&self.called(from))),
            }
        }
        for piece in pieces {
            self.piece(piece, places, reservation, blocks)?;
        }
        Ok(())
    }

    /// The columns of the pieces of a part. Those that are slices of what came in where rows follow one another are made for each
    /// piece, all others for the whole part, of which pieces are slices: in small arrays they would be slower.
    fn pieces(
        &self,
        part: Part<'_>,
        pieces: &[Part<'_>],
        [of_build, of_probe]: &mut [Vec<Place>; 2],
        reservation: &mut Reservation,
    ) -> Result<Vec<Block>, (From, Refusal)> {
        let mut columns: Vec<Vec<ArrayData>> = vec![Vec::new(); self.froms.len()];
        let sliced = |from: From, source: &Option<Source>| match (from, source) {
            (From::Side(side, _), Some(source)) => side == self.follows && source.is_sliced(),
            _ => false,
        };
        for piece in pieces {
            let rows = self.follows.of(piece.build, piece.probe);
            let rows = self.located(self.follows, rows, of_build);
            for (nth, (&from, source)) in self.froms.iter().zip(&self.sources).enumerate() {
                if let Some(source) = source.as_ref().filter(|_| sliced(from, source)) {
                    let of_piece = source.gather(rows, reservation);
                    columns[nth].push(of_piece.map_err(|refusal| (from, refusal))?);
                }
            }
        }
        let build = self.located(Side::Build, part.build, of_build);
        let probe = self.located(Side::Probe, part.probe, of_probe);
        for (nth, (&from, source)) in self.froms.iter().zip(&self.sources).enumerate() {
            if sliced(from, source) {
                continue;
            }
            let whole = self.column(from, source, part, [build, probe], reservation)?;
            let mut first = 0;
            columns[nth].extend(pieces.iter().map(|piece| {
                let of_piece = whole.slice(first, piece.len());
                first += piece.len();
                of_piece
            }));
        }
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        let of_pieces = pieces.iter().map(|piece| {
            let of_piece = columns.iter_mut().filter_map(Iterator::next);
            (piece.len(), of_piece.collect())
        });
        Ok(of_pieces.collect())
    }

    /// The columns of a piece, of both halves of it where they are too long for one array.
    fn piece(
        &self,
        part: Part<'_>,
        places: &mut [Vec<Place>; 2],
        reservation: &mut Reservation,
        blocks: &mut Vec<Block>,
    ) -> Result<(), Error> {
        match self.columns(part, places, reservation) {
            Ok(columns) => blocks.push((part.len(), columns)),
            Err((_, Refusal::TooLong)) if part.len() > 1 => {
                for half in part.split_at(part.len() / 2) {
                    self.piece(half, places, reservation, blocks)?;
                }
            }
            Err((from, refusal)) => return Err(refusal.of(&self.called(from))),
        }
        Ok(())
    }

    /// What a column is called in a sentence.
    fn called(&self, from: From) -> String {
        let [build, probe] = self.frames;
        match from {
            From::Side(side, number) => {
                let frame = side.of(build, probe);
                frame.columns[number].called(frame.what)
            }
            From::Mark => format!("column {MARK:?}"),
        }
    }

    fn columns(
        &self,
        part: Part<'_>,
        [of_build, of_probe]: &mut [Vec<Place>; 2],
        reservation: &mut Reservation,
    ) -> Result<Vec<ArrayData>, (From, Refusal)> {
        let build = self.located(Side::Build, part.build, of_build);
        let probe = self.located(Side::Probe, part.probe, of_probe);
        let sources = self.froms.iter().zip(&self.sources);
        let columns = sources
            .map(|(&from, source)| self.column(from, source, part, [build, probe], reservation));
        columns.collect()
    }

    /// A column of pairs, whose rows of the build side and of the probe side are there.
    fn column(
        &self,
        from: From,
        source: &Option<Source>,
        part: Part<'_>,
        [build, probe]: [Rows<'_>; 2],
        reservation: &mut Reservation,
    ) -> Result<ArrayData, (From, Refusal)> {
        let gathered = match (from, source) {
            (From::Side(side, _), Some(source)) => {
                source.gather(side.of(build, probe), reservation)
            }
            _ => truths(self.marks(part)).map_err(Refusal::Invalid),
        };
        gathered.map_err(|refusal| (from, refusal))
    }

    /// What stands in place of partners.
    fn marks<'r>(&self, part: Part<'r>) -> &'r [u32] {
        match self.outputs.kind {
            Kind::Mark(side) => side.other().of(part.build, part.probe),
            _ => &[],
        }
    }

    /// Rows of a side with their places in the chunks of its frame; none where the result has none of them.
    fn located<'r>(&self, side: Side, rows: &'r [u32], places: &'r mut Vec<Place>) -> Rows<'r> {
        let kind = self.outputs.kind;
        let rows = if how::has_rows(kind, side) { rows } else { &[] };
        let [build, probe] = self.frames;
        let (frame, missing) = (side.of(build, probe), how::lacks_rows(kind, side));
        if let [first, .., last] = *rows
            && run_len(rows) == rows.len()
            && let (start, end) = (frame.offsets.locate(first), frame.offsets.locate(last))
            && start.0 == end.0
        {
            return Rows::of_run(start, rows.len());
        }
        if frame.offsets.starts().len() <= 2 {
            return Rows::of_one(rows, missing);
        }
        Place::locate(rows, &frame.offsets, places);
        Rows::of_many(places, missing)
    }
}
