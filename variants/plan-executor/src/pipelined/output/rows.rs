//! Results as row ids, for those who gather columns themselves.

use join_core::memory::{OutOfMemory, Reservation};
use join_core::parallel::Tasks;

use super::BATCH;
use super::batches::Batches;
use super::levels::Level;
use super::parts::parts;
use crate::pipelined::hands::Hands;

/// Takes the rows of a result.
pub trait RowConsumer: Sync {
    /// Takes `count` rows that a worker of the team has found. Of each input that the result shows, in order of the inputs,
    /// `rows` has the row id in each of them. Returns whether more are wanted, of this worker.
    fn consume(&self, worker: usize, count: usize, rows: &[Vec<u32>]) -> bool;
}

/// Hands the rows of a root and the tables under it over to `consumer`, as row ids of the inputs `shown`.
pub(in crate::pipelined) fn emit(
    levels: &[Level<'_>],
    shown: &[usize],
    consumer: &dyn RowConsumer,
    hands: Hands<'_>,
) -> Result<(), OutOfMemory> {
    let Hands {
        workers,
        team,
        memory,
    } = hands;
    let root = levels[0].entries;
    let rows = root.results(0, root.rows.len() as u32).min(BATCH) as usize;
    let place = |level: &Level<'_>| shown.iter().position(|&input| input == level.input);
    let places: Vec<Option<usize>> = levels.iter().map(place).collect();
    let parts = Tasks::new(parts(levels, workers));
    // All of them before anyone works: where memory runs out, nothing has been handed over.
    let emitters = (0..workers).map(|_| {
        // Row ids before and after rows are repeated, and which row each is.
        let lists = 2 * shown.len() + 1;
        Ok(Emitter {
            levels,
            places: &places,
            batches: Batches::new(levels, rows, memory)?,
            rows: vec![Vec::new(); shown.len()],
            repeated: vec![Vec::new(); shown.len()],
            from: Vec::new(),
            most: rows,
            _reserved: memory.reserve(lists * rows * size_of::<u32>())?,
        })
    });
    let emitters = emitters.collect::<Result<Vec<_>, OutOfMemory>>()?;
    team.run(emitters, |worker, mut emitter| {
        while let Some((_, part)) = parts.take() {
            emitter.batches.start(part);
            while emitter.batches.advance() {
                if !emitter.hand_over(|count, rows| consumer.consume(worker, count, rows)) {
                    return;
                }
            }
        }
    });
    Ok(())
}

/// One worker's rows.
struct Emitter<'e> {
    levels: &'e [Level<'e>],
    /// Of each level, its place among the inputs that are shown.
    places: &'e [Option<usize>],
    batches: Batches<'e>,
    rows: Vec<Vec<u32>>,
    repeated: Vec<Vec<u32>>,
    /// Of each repeated row, the row of the batch.
    from: Vec<u32>,
    /// Rows that are handed over at a time.
    most: usize,
    _reserved: Reservation,
}

impl Emitter<'_> {
    /// Hands the rows of the batch over; whether more are wanted.
    fn hand_over(&mut self, mut take: impl FnMut(usize, &[Vec<u32>]) -> bool) -> bool {
        let count = self.batches.len();
        let Self { levels, places, .. } = *self;
        let rows = &mut self.rows;
        self.batches.each_level(|level, entries| {
            if let Some(place) = places[level] {
                let of_entries = &levels[level].entries.rows;
                rows[place].clear();
                rows[place].extend(entries.iter().map(|&entry| of_entries[entry as usize]));
            }
        });
        if self.batches.weights().is_none() {
            return take(count, rows);
        }
        self.from.clear();
        for row in 0..count {
            let weights = self.batches.weights();
            let mut left = weights.map_or(1, |weights| weights[row] as usize);
            while left > 0 {
                let more = left.min(self.most - self.from.len());
                self.from.extend(std::iter::repeat_n(row as u32, more));
                left -= more;
                if self.from.len() == self.most && !self.repeat(&mut take) {
                    return false;
                }
            }
        }
        self.from.is_empty() || self.repeat(&mut take)
    }

    /// Hands over what was repeated so far.
    fn repeat(&mut self, take: &mut impl FnMut(usize, &[Vec<u32>]) -> bool) -> bool {
        for (rows, repeated) in self.rows.iter().zip(&mut self.repeated) {
            repeated.clear();
            repeated.extend(self.from.iter().map(|&row| rows[row as usize]));
        }
        let wants_more = take(self.from.len(), &self.repeated);
        self.from.clear();
        wants_more
    }
}
