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
use crate::suite::Files;

/// Queries below this many seconds are executed once more before each sample, to bring back what the turns of others
/// drove out of the caches.
const WARM_SECONDS: f64 = 0.05;

/// What loading all tables may take, or answering a query.
const LIMIT: Duration = Duration::from_secs(600);

/// DataFusion with one's own joins and with others, and peers, which take turns on one query.
pub(crate) struct Queries<'a> {
    /// Whoever has sessions of DataFusion, then the peers.
    engines: Vec<Engine>,
    /// Of each contender of ours the number of its session; DataFusion's own has two contenders.
    sessions: Vec<usize>,
    contenders: Vec<Contender>,
    /// Of each contender's last execution.
    seconds: Vec<f64>,
    query: String,
    /// What DataFusion alone answers, for peers to be compared with.
    expected: Option<Answer>,
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
    /// peers, which read `files`.
    ///
    /// # Errors
    ///
    /// If there is no folder for temporary files.
    pub(crate) fn new(
        settings: &[Setting],
        server: impl Fn() -> Command + 'static,
        setups: &[Setup],
        files: &Files,
        threads: u32,
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
        let mut engines = vec![Engine::new(server, none, None, threads)];
        for setup in setups.iter().cloned() {
            let limit = setup.limit;
            let command = move || setup.command();
            engines.push(Engine::new(command, files.clone(), limit, threads));
        }
        Ok(Self {
            engines,
            sessions,
            seconds: vec![0.0; contenders.len()],
            contenders,
            query: String::new(),
            expected: None,
            rows: tempfile::Builder::new().prefix("joinery-").tempdir()?,
            interrupted,
        })
    }

    /// The same on this query.
    pub(crate) fn on(&mut self, query: &str) -> &mut Self {
        query.clone_into(&mut self.query);
        self.expected = None;
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
        let expected = self.rows.path().join("expected");
        let is_first = self.sessions[contender] == 0 && self.expected.is_none();
        let asked = (&*self.query, Some(self.sessions[contender]));
        let rows = is_first.then_some(&*expected);
        let answered = self.engines[0].answer(asked, rows, self.interrupted)?;
        let answer = Answer {
            rows: answered.rows,
            checksum: Checksum(answered.checksum.unwrap_or_default().0),
            ..Answer::default()
        };
        if is_first {
            self.expected = Some(answer);
        }
        Ok(Measured {
            seconds: answered.seconds,
            system: answered.system,
            notes: answered.notes,
            answer,
            ..Measured::default()
        })
    }

    fn peer(&mut self, number: usize) -> Result<Measured, Failed> {
        if self.expected.is_none() {
            self.own(0)?;
        }
        let expected = self.expected.unwrap_or_default();
        let [of_stock, found] = ["expected", "found"].map(|name| self.rows.path().join(name));
        let engine = &mut self.engines[number];
        let rows = (!engine.is_checked).then_some(&*found);
        let answered = engine.answer((&self.query, None), rows, self.interrupted)?;
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
