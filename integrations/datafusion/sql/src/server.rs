//! Sessions in a process of its own, which a run asks by lines of JSON, as it asks peers.

use std::io::{BufRead, BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use harness::verbs::Ending;
use join_core::checksum::Checksum;
use joinery_datafusion::hash_joins;
use joinery_distributed::{Sent, Way, on_workers, sent};
use report::cluster_model::{Moved, StageSent};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::answer;
use crate::profile::Meter;
use crate::run::Args;
use crate::session::{Engine, Joins, Setting};
use crate::suite::Files;
use crate::workers::said;

/// How long figures of workers are waited for.
const FIGURES: Duration = Duration::from_secs(10);

/// A line of work.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Load(serde::de::IgnoredAny),
    Query(Query),
}

#[derive(Deserialize)]
struct Query {
    text: String,
    /// Where its rows go.
    result: Option<PathBuf>,
    session: usize,
}

/// Answers line by line until there are no more.
pub(crate) fn run(args: &Args) -> std::result::Result<(), Ending> {
    let failed = |error: std::io::Error| Ending::usage(error);
    let mut server: Option<Server> = None;
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line.map_err(failed)?) {
            Ok(Request::Load(_)) => Server::new(args).map(|new| {
                server = Some(new);
                json!({ "loaded": true })
            }),
            Ok(Request::Query(query)) => match &server {
                Some(server) => server.answer(&query).map_err(|error| said(&error)),
                None => Err("nothing is loaded".to_owned()),
            },
            Err(error) => Err(error.to_string()),
        };
        let answer = answer.unwrap_or_else(|error| json!({ "error": error }));
        println!("{answer}");
    }
    Ok(())
}

struct Server {
    engine: Engine,
    /// One for each setting; the last one answers for the first where that cannot: it reads files, and knows what they say of
    /// their columns.
    sessions: Vec<SessionContext>,
    /// Whether answers come with profiles.
    profiles: bool,
}

impl Server {
    fn new(args: &Args) -> std::result::Result<Self, String> {
        let settings = args.settings().map_err(|ending| ending.to_string())?;
        let cluster = args.workers.cluster();
        let cluster = cluster.map_err(|ending| ending.to_string())?;
        let suite = args.suite().map_err(|ending| ending.to_string())?;
        let plain = |error: DataFusionError| error.strip_backtrace();
        let mut engine = Engine::new(args.threads(), args.memory()).map_err(plain)?;
        if args.orders > 0 {
            engine = engine.without_statistics();
        }
        let session = |setting: &Setting| match &cluster {
            Some(cluster) if setting.workers > 0 => {
                let cluster = cluster.first(setting.workers);
                engine.session_on(&setting.joins, &cluster, setting.filters)
            }
            _ => Ok(engine.session(&setting.joins)),
        };
        let sessions = settings.iter().map(session).collect::<Result<Vec<_>>>();
        let mut sessions = sessions.map_err(plain)?;
        let files = args.files(&suite).map_err(plain)?;
        let tables = engine.runtime.block_on(async {
            match files.tables.is_empty() {
                true => suite.tables(&sessions[0]).await,
                false => files.tables(&sessions[0]).await,
            }
        });
        let tables = tables.map_err(plain)?;
        for session in &sessions {
            tables.register(session).map_err(plain)?;
        }
        let unlimited = engine.unlimited().map_err(plain)?;
        let careful = unlimited.session(&Joins::Stock);
        let tables = match files.tables.is_empty() {
            true => tables,
            false => {
                let files = Files {
                    in_memory: false,
                    ..files
                };
                engine
                    .runtime
                    .block_on(files.tables(&careful))
                    .map_err(plain)?
            }
        };
        tables.register(&careful).map_err(plain)?;
        sessions.push(careful);
        Ok(Self {
            engine,
            sessions,
            profiles: args.profile,
        })
    }

    /// The time is from the text to the last row.
    fn answer(&self, query: &Query) -> Result<serde_json::Value> {
        let Some(context) = self.sessions.get(query.session) else {
            return Err(DataFusionError::External("no such session".into()));
        };
        let meter = self.profiles.then(Meter::start);
        let (plan, batches, seconds) = self.engine.runtime.block_on(async {
            let began = Instant::now();
            let plan = context
                .sql(&query.text)
                .await?
                .create_physical_plan()
                .await?;
            let found = collect(plan.clone(), context.task_ctx()).await?;
            Ok::<_, DataFusionError>((plan, found, began.elapsed().as_secs_f64()))
        })?;
        let profile = meter.map(|meter| meter.stop(&plan));
        if let Some(path) = &query.result {
            let mut file = BufWriter::new(std::fs::File::create(path)?);
            answer::write(&batches, &mut file)?;
            file.flush()?;
        }
        let answer = answer::of(&batches)?;
        let stages = on_workers(plan.clone(), context.copied_config().options())?;
        let (taken, left) = hash_joins(&stages);
        let mut notes = vec![format!("{taken} of {} hash joins taken over", taken + left)];
        // Those of a worker that is lost do not come.
        let sent = async { timeout(FIGURES, sent(plan)).await };
        if let Ok(sent) = self.engine.runtime.block_on(sent)
            && let Some(sent) = sent?
        {
            notes.push(moved(&sent).to_string());
            notes.extend(sent.iter().map(told));
        }
        if let Some(profile) = profile {
            let profile = serde_json::to_string(&profile);
            notes = vec![profile.map_err(|error| DataFusionError::External(Box::new(error)))?];
        }
        Ok(json!({
            "seconds": seconds,
            "rows": answer.rows,
            "checksum": Checksum(answer.checksum.0),
            "notes": notes,
        }))
    }
}

/// Of all stages.
fn moved(sent: &[Sent]) -> Moved {
    let of = |way: Way| {
        let sent = sent.iter().filter(|sent| sent.way == way);
        sent.map(|sent| sent.bytes).sum::<usize>() as f64
    };
    Moved {
        shuffled: of(Way::Shuffled),
        broadcast: of(Way::Broadcast),
        gathered: of(Way::Gathered),
    }
}

/// Of one stage, as a record has it.
fn told(sent: &Sent) -> String {
    let sent = StageSent {
        stage: sent.stage,
        tasks: sent.tasks,
        bytes: sent.bytes,
        way: sent.way.name().to_owned(),
        ms: sent.received.as_secs_f64() * 1e3,
    };
    sent.to_string()
}
