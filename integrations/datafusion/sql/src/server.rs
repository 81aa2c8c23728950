//! Sessions in a process of its own, which a run asks by lines of JSON, as it asks peers.

use std::io::{BufRead, BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use harness::verbs::Ending;
use join_core::checksum::Checksum;
use joinery_datafusion::hash_joins;
use serde::Deserialize;
use serde_json::json;

use crate::answer;
use crate::run::Args;
use crate::session::Engine;

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
                Some(server) => server
                    .answer(&query)
                    .map_err(|error| error.strip_backtrace()),
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
    sessions: Vec<SessionContext>,
}

impl Server {
    fn new(args: &Args) -> std::result::Result<Self, String> {
        let joins = args.joins().map_err(|ending| ending.to_string())?;
        let suite = args.suite().map_err(|ending| ending.to_string())?;
        let plain = |error: DataFusionError| error.strip_backtrace();
        let mut engine = Engine::new(args.threads(), args.memory()).map_err(plain)?;
        if args.orders > 0 {
            engine = engine.without_statistics();
        }
        let sessions: Vec<SessionContext> =
            joins.iter().map(|joins| engine.session(joins)).collect();
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
        Ok(Self { engine, sessions })
    }

    /// The time is from the text to the last row.
    fn answer(&self, query: &Query) -> Result<serde_json::Value> {
        let Some(context) = self.sessions.get(query.session) else {
            return Err(DataFusionError::External("no such session".into()));
        };
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
        if let Some(path) = &query.result {
            let mut file = BufWriter::new(std::fs::File::create(path)?);
            answer::write(&batches, &mut file)?;
            file.flush()?;
        }
        let (answer, (taken, left)) = (answer::of(&batches)?, hash_joins(&plan));
        Ok(json!({
            "seconds": seconds,
            "rows": answer.rows,
            "checksum": Checksum(answer.checksum.0),
            "notes": [format!("{taken} of {} hash joins taken over", taken + left)],
        }))
    }
}
