//! SQL as an experiment: a case is a query, contenders are sessions.

use std::sync::Arc;
use std::time::Instant;

use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use harness::experiment::{Bench, Contender, Failed, Measured};
use harness::machine::system::Watch;
use report::record::Toggles;

use crate::answer;
use crate::session::{Engine, Joins};

/// Queries below this many seconds are executed once more before each sample, to bring back what the turns of others
/// drove out of the caches.
const WARM_SECONDS: f64 = 0.05;

/// Sessions with the same tables, which take turns on one query.
pub(crate) struct Queries<'a> {
    engine: &'a Engine,
    sessions: Vec<SessionContext>,
    contenders: Vec<Contender>,
    /// Of each contender's last execution.
    seconds: Vec<f64>,
    query: String,
    watch: Watch,
}

impl<'a> Queries<'a> {
    /// DataFusion under two names, and with Joinery; `sessions` are stock and Joinery's.
    pub(crate) fn new(engine: &'a Engine, sessions: [SessionContext; 2], threads: u32) -> Self {
        let [stock, joinery] = sessions;
        let contender = |joins: Joins| Contender::new(joins.name(), Toggles::new(), None, threads);
        let [a, b] = Contender::control(Joins::Stock.name(), &Toggles::new(), threads);
        Self {
            engine,
            sessions: vec![stock.clone(), stock, joinery],
            contenders: vec![a, b, contender(Joins::Joinery)],
            seconds: vec![0.0; 3],
            query: String::new(),
            watch: Watch::own(),
        }
    }

    /// The same on this query.
    pub(crate) fn on(&mut self, query: &str) -> &mut Self {
        query.clone_into(&mut self.query);
        self
    }

    fn execute(&self, contender: usize) -> Result<Measured> {
        let context = &self.sessions[contender];
        let (plan, batches, seconds) = self.engine.runtime.block_on(async {
            let began = Instant::now();
            let plan = context
                .sql(&self.query)
                .await?
                .create_physical_plan()
                .await?;
            let found =
                datafusion::physical_plan::collect(plan.clone(), context.task_ctx()).await?;
            Ok::<_, DataFusionError>((plan, found, began.elapsed().as_secs_f64()))
        })?;
        Ok(Measured {
            seconds,
            answer: answer::of(&batches)?,
            notes: vec![format!(
                "{} of {} hash joins taken over",
                count(&plan, "JoineryExec"),
                count(&plan, "JoineryExec") + count(&plan, "HashJoinExec")
            )],
            ..Measured::default()
        })
    }
}

/// Operators of a name in a plan.
fn count(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let below: usize = plan.children().iter().map(|child| count(child, name)).sum();
    below + usize::from(plan.name() == name)
}

impl Bench for Queries<'_> {
    fn contenders(&self) -> &[Contender] {
        &self.contenders
    }

    fn sample(&mut self, contender: usize, round: u32) -> std::result::Result<Measured, Failed> {
        let failed = |error: DataFusionError| Failed::Error(error.strip_backtrace());
        if round > 0 && self.seconds[contender] < WARM_SECONDS {
            self.execute(contender).map_err(failed)?;
        }
        let start = self.watch.start();
        let mut measured = self.execute(contender).map_err(failed)?;
        measured.system = Some(self.watch.since(&start));
        self.seconds[contender] = measured.seconds;
        Ok(measured)
    }
}
