//! SQL as an experiment: a case is a query, contenders are sessions and peers. All of them work in processes of their own,
//! so that one that is killed takes nobody with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use harness::experiment::{Bench, Contender, Failed, Measured};
use harness::peers::{Executed, Fault, Process, Setup};
use report::record::{Answer, Checksum, OFF, Toggles};
use tempfile::TempDir;

use crate::answer;
use crate::session::{Joins, Setting};
use crate::suite::{Files, Query};

/// Queries below this many seconds are executed once more before each sample, to bring back what the turns of others
/// drove out of the caches.
const WARM_SECONDS: f64 = 0.05;

/// What loading all tables may take, or answering a query.
pub(crate) const LIMIT: Duration = Duration::from_secs(600);

/// DataFusion with one's own joins and with others, and peers, which take turns on one query.
pub(crate) struct Queries<'a> {
    /// Whoever has sessions of DataFusion, then the peers.
    engines: Vec<Engine>,
    /// Of each contender of ours the number of its session; DataFusion's own has two contenders.
    sessions: Vec<usize>,
    contenders: Vec<Contender>,
    /// The session that answers for DataFusion's own where that cannot.
    careful: usize,
    /// Of each contender's last execution.
    seconds: Vec<f64>,
    query: Query,
    /// What DataFusion alone answers, for others to be compared with.
    expected: Option<Answer>,
    /// Whether DataFusion alone has failed on this query.
    is_stock_lost: bool,
    rows: TempDir,
    interrupted: &'a AtomicBool,
}

/// A process, and how to have another one.
struct Engine {
    command: Box<dyn Fn() -> Command>,
    threads: u32,
    files: Files,
    limit: Duration,
    /// None before the first query, and after a fault.
    process: Option<Process>,
    /// Whether its answer to the query at hand was compared.
    is_checked: bool,
}

impl Engine {
    fn new(
        command: impl Fn() -> Command + 'static,
        files: Files,
        limit: Option<Duration>,
        threads: u32,
    ) -> Self {
        Self {
            command: Box::new(command),
            threads,
            files,
            limit: limit.unwrap_or(LIMIT),
            process: None,
            is_checked: false,
        }
    }

    /// Answers a query, in a new process where the last one has failed.
    fn answer(
        &mut self,
        (text, session): (&str, Option<usize>),
        rows: Option<&Path>,
        interrupted: &AtomicBool,
    ) -> Result<Executed, Fault> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => {
                let mut process = Process::start((self.command)()).map_err(Fault::Failed)?;
                let Files { tables, in_memory } = &self.files;
                process.load_tables(self.threads, tables, *in_memory, self.limit, interrupted)?;
                process
            }
        };
        let answered = process.query((text, session), rows, self.limit, interrupted)?;
        self.process = Some(process);
        Ok(answered)
    }
}

impl<'a> Queries<'a> {
    /// DataFusion under two names, then with other joins or workers, all of them sessions of the process that `server` starts; then
    /// peers, which read `files`. An engine that takes longer than `limit` is stopped.
    ///
    /// # Errors
    ///
    /// If there is no folder for temporary files.
    pub(crate) fn new(
        settings: &[Setting],
        server: impl Fn() -> Command + 'static,
        setups: &[Setup],
        files: &Files,
        (threads, limit): (u32, Option<Duration>),
        interrupted: &'a AtomicBool,
    ) -> std::io::Result<Self> {
        let (mut contenders, mut sessions) = (Vec::new(), Vec::new());
        for (session, setting) in settings.iter().enumerate() {
            let name = setting.name();
            sessions.push(session);
            match &setting.joins {
                Joins::Stock if session > 0 => {
                    contenders.push(Contender::new(&name, Toggles::new(), None, threads));
                }
                Joins::Stock => {
                    contenders.extend(Contender::control(&name, &Toggles::new(), threads));
                    sessions.push(session);
                }
                Joins::Joinery(_, without) => {
                    let off = without.names();
                    let off = off.map(|name| (name.to_owned(), OFF.to_owned()));
                    contenders.push(Contender::new(&name, off.collect(), None, threads));
                }
            }
        }
        let peers = setups.iter();
        contenders.extend(peers.map(|setup| Contender::peer(&setup.name, threads)));
        // The server has been told its tables already.
        let none = Files {
            tables: BTreeMap::new(),
            in_memory: files.in_memory,
        };
        let mut engines = vec![Engine::new(server, none, limit, threads)];
        for setup in setups.iter().cloned() {
            let limit = limit.or(setup.limit);
            let command = move || setup.command();
            engines.push(Engine::new(command, files.clone(), limit, threads));
        }
        Ok(Self {
            engines,
            sessions,
            careful: settings.len(),
            seconds: vec![0.0; contenders.len()],
            contenders,
            query: Query::new(String::new(), String::new()),
            expected: None,
            is_stock_lost: false,
            rows: tempfile::Builder::new().prefix("joinery-").tempdir()?,
            interrupted,
        })
    }

    /// The same on this query.
    pub(crate) fn on(&mut self, query: &Query) -> &mut Self {
        query.clone_into(&mut self.query);
        self.expected = None;
        self.is_stock_lost = false;
        for engine in &mut self.engines {
            engine.is_checked = false;
        }
        self
    }

    fn execute(&mut self, contender: usize) -> Result<Measured, Failed> {
        match contender.checked_sub(self.sessions.len()) {
            Some(peer) => self.peer(peer + 1),
            None => self.own(contender),
        }
    }

    fn own(&mut self, contender: usize) -> Result<Measured, Failed> {
        let session = self.sessions[contender];
        let is_stock = session == 0;
        if !is_stock && self.is_stock_lost {
            self.expect()?;
        }
        let is_first = is_stock && self.expected.is_none();
        let measured = self.of_session(session, is_first);
        if let (true, Err(Failed::Error(_))) = (is_stock, &measured) {
            self.is_stock_lost = true;
        }
        let measured = measured?;
        if is_first {
            self.expected = Some(measured.answer);
        }
        match self.expected {
            Some(expected) if self.is_stock_lost && measured.answer != expected => {
                Err(Failed::Wrong(format!(
                    "{} rows of checksum {}, not {} of {}, which DataFusion answers from files",
                    measured.answer.rows,
                    measured.answer.checksum,
                    expected.rows,
                    expected.checksum
                )))
            }
            _ => Ok(measured),
        }
    }

    /// Of one of the sessions of DataFusion; its rows become those that are expected, if they are.
    fn of_session(&mut self, session: usize, is_expected: bool) -> Result<Measured, Failed> {
        let expected = self.rows.path().join("expected");
        let rows = is_expected.then_some(&*expected);
        let text = match &self.query.written {
            Some(written) if session == self.careful => written,
            _ => &self.query.text,
        };
        let answered = self.engines[0].answer((text, Some(session)), rows, self.interrupted)?;
        Ok(Measured {
            seconds: answered.seconds,
            system: answered.system,
            notes: answered.notes,
            answer: Answer {
                rows: answered.rows,
                checksum: Checksum(answered.checksum.unwrap_or_default().0),
                ..Answer::default()
            },
            ..Measured::default()
        })
    }

    /// What is to be answered: what DataFusion alone says, and where it cannot, because no memory is enough or no time, what it
    /// says of the query as it was written and of tables of whose columns it knows all.
    fn expect(&mut self) -> Result<Answer, Failed> {
        if self.expected.is_none() && !self.is_stock_lost {
            match self.own(0) {
                Err(Failed::Error(_)) | Ok(_) => {}
                Err(other) => return Err(other),
            }
        }
        match self.expected {
            Some(expected) => Ok(expected),
            None => {
                let answer = self.of_session(self.careful, true)?.answer;
                Ok(*self.expected.insert(answer))
            }
        }
    }

    fn peer(&mut self, number: usize) -> Result<Measured, Failed> {
        let expected = self.expect()?;
        let [of_stock, found] = ["expected", "found"].map(|name| self.rows.path().join(name));
        let engine = &mut self.engines[number];
        let rows = (!engine.is_checked).then_some(&*found);
        let answered = engine.answer((&self.query.text, None), rows, self.interrupted)?;
        if answered.rows != expected.rows {
            return Err(Failed::Wrong(format!(
                "{} rows, not {}",
                answered.rows, expected.rows
            )));
        }
        if !engine.is_checked {
            answer::alike(&of_stock, &found).map_err(Failed::Wrong)?;
            engine.is_checked = true;
        }
        Ok(Measured {
            seconds: answered.seconds,
            system: answered.system,
            answer: expected,
            ..Measured::default()
        })
    }
}

impl Bench for Queries<'_> {
    fn contenders(&self) -> &[Contender] {
        &self.contenders
    }

    fn sample(&mut self, contender: usize, round: u32) -> Result<Measured, Failed> {
        if round > 0 && self.seconds[contender] < WARM_SECONDS {
            self.execute(contender)?;
        }
        let measured = self.execute(contender)?;
        self.seconds[contender] = measured.seconds;
        Ok(measured)
    }
}
