//! Sessions of the engine.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use joinery_datafusion::{JoineryOptions, Mode, SessionStateBuilderExt, Without};
use tokio::runtime::Runtime;

/// Who joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joins {
    /// DataFusion.
    Stock,
    /// Joinery, wherever it can, in this mode and without these techniques.
    Joinery(Mode, Without),
}

impl Joins {
    /// Joinery with all of its techniques.
    pub fn in_mode(mode: Mode) -> Self {
        match mode {
            Mode::Off => Self::Stock,
            mode => Self::Joinery(mode, Without::default()),
        }
    }

    /// What records call the engine with these joins, whatever they are without.
    pub fn name(&self) -> String {
        match self {
            Self::Stock => "datafusion".to_owned(),
            Self::Joinery(mode, _) => format!("datafusion+joinery/{mode}"),
        }
    }
}

/// What sessions share.
pub struct Engine {
    /// Its threads.
    pub runtime: Runtime,
    threads: usize,
    environment: Arc<RuntimeEnv>,
    statistics: bool,
}

impl Engine {
    /// An engine of so many threads, and of so many bytes if there is a limit.
    ///
    /// # Errors
    ///
    /// If the system starts no threads, or the engine refuses.
    pub fn new(threads: NonZeroUsize, memory: Option<usize>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.get())
            .enable_all()
            .build()?;
        let mut environment = RuntimeEnvBuilder::new();
        if let Some(bytes) = memory {
            let pool: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(bytes));
            environment = environment.with_memory_pool(pool);
        }
        Ok(Self {
            runtime,
            threads: threads.get(),
            environment: Arc::new(environment.build()?),
            statistics: true,
        })
    }

    /// The same, which knows of tables no more than how many rows they have.
    #[must_use]
    pub fn without_statistics(self) -> Self {
        Self {
            statistics: false,
            ..self
        }
    }

    /// A session without tables.
    pub fn session(&self, joins: &Joins) -> SessionContext {
        let mut config = SessionConfig::new().with_target_partitions(self.threads);
        if !self.statistics {
            config = config.with_collect_statistics(false);
        }
        if let Joins::Joinery(mode, without) = joins {
            let options = JoineryOptions::of(*mode, without.clone());
            config.options_mut().extensions.insert(options);
        }
        let builder = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(self.environment.clone())
            .with_default_features();
        SessionContext::new_with_state(match joins {
            Joins::Stock => builder.build(),
            Joins::Joinery(..) => builder.with_joinery().build(),
        })
    }
}
