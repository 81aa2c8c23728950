//! Sessions of the engine.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use joinery_datafusion::{JoineryOptions, Mode, SessionStateBuilderExt, Without};
use joinery_distributed::{Cluster, SessionStateBuilderExt as _};
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

    /// As the settings of a session have it.
    fn options(&self) -> JoineryOptions {
        match self {
            Self::Stock => JoineryOptions::of(Mode::Off, Without::default()),
            Self::Joinery(mode, without) => JoineryOptions::of(*mode, without.clone()),
        }
    }
}

/// Who joins, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub joins: Joins,
    /// How many workers take part; where there are none, it is this process.
    pub workers: usize,
    /// Whether there are semi-join filters before shuffles.
    pub filters: bool,
}

impl Setting {
    /// What records call the engine with these joins, whatever they are without.
    pub fn name(&self) -> String {
        let mut name = match &self.joins {
            Joins::Stock => "datafusion".to_owned(),
            Joins::Joinery(mode, _) => format!("datafusion+joinery/{mode}"),
        };
        if self.workers > 0 {
            name += &format!("/{}-workers", self.workers);
        }
        if self.filters {
            name += "/filters";
        }
        name
    }

    /// The techniques that the joins are without.
    pub fn without(&self) -> impl Iterator<Item = &'static str> {
        let without = match &self.joins {
            Joins::Stock => None,
            Joins::Joinery(_, without) => Some(without.names()),
        };
        without.into_iter().flatten()
    }
}

/// A runtime of so many threads.
pub(crate) fn runtime(threads: NonZeroUsize) -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.get())
        .enable_all()
        .build()
}

/// What sessions share.
pub struct Engine {
    /// Its threads, which are there as long as the process: ending them cancels tasks one by one, and DataFusion Distributed's panic
    /// where one waits for another that was.
    pub runtime: &'static Runtime,
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
        let runtime = Box::leak(Box::new(runtime(threads)?));
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

    /// The same without a limit, which knows of tables all that there is to know.
    ///
    /// # Errors
    ///
    /// If the engine refuses.
    pub fn unlimited(&self) -> Result<Self> {
        Ok(Self {
            environment: Arc::new(RuntimeEnvBuilder::new().build()?),
            statistics: true,
            ..*self
        })
    }

    /// A session without tables.
    pub fn session(&self, joins: &Joins) -> SessionContext {
        let builder = self.builder(joins);
        SessionContext::new_with_state(match joins {
            Joins::Stock => builder.build(),
            Joins::Joinery(..) => builder.with_joinery().build(),
        })
    }

    /// The same on workers, all of whom take part in each query, however small it is; with semi-join filters before shuffles, if
    /// they are asked for.
    ///
    /// # Errors
    ///
    /// If the engine refuses.
    pub fn session_on(
        &self,
        joins: &Joins,
        cluster: &Cluster,
        filters: bool,
    ) -> Result<SessionContext> {
        let mut builder = self.builder(joins).with_joinery_on(cluster)?;
        let config = builder.config().get_or_insert_default();
        let options = config.options_mut();
        options.set("distributed.file_scan_config_bytes_per_partition", "1")?;
        options.set("joinery.filters_before_shuffle", &filters.to_string())?;
        Ok(SessionContext::new_with_state(builder.build()))
    }

    fn builder(&self, joins: &Joins) -> SessionStateBuilder {
        let mut config = SessionConfig::new().with_target_partitions(self.threads);
        if !self.statistics {
            config = config.with_collect_statistics(false);
        }
        config.options_mut().extensions.insert(joins.options());
        SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(self.environment.clone())
            .with_default_features()
    }
}
