//! What answers at an address.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, config_datafusion_err, config_err};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::{
    ChannelResolver, DistributedExt, Worker, WorkerPlanRewriteEvent,
    WorkerPlanRewriteEventResponse, WorkerQueryContext,
};
use futures::future::BoxFuture;
use http::{Request, Response};
use joinery_datafusion::JoineryOptions;
use tokio::runtime::Handle;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower::Service;

use crate::session::stage;
use crate::store::ReadOnly;
use crate::wire::{Connections, Wire};

/// What processes must agree on: plans of one version are not understood by another.
pub const VERSION: &str = concat!(
    "joinery ",
    env!("CARGO_PKG_VERSION"),
    ", datafusion 55.2.0, datafusion-distributed 4.0.0"
);

/// Is told each stage that a worker is about to execute, as it will.
pub type Watch = Arc<dyn Fn(&Arc<dyn ExecutionPlan>) + Send + Sync>;

/// A worker that reaches others by `connections`.
///
/// It takes the joins of each stage over as the settings of the session that sent it say.
pub fn worker(
    connections: impl ChannelResolver + Clone + Send + Sync + 'static,
    environment: Arc<RuntimeEnv>,
    watch: Option<Watch>,
) -> Worker {
    let session = move |context: WorkerQueryContext| {
        let (connections, watch) = (connections.clone(), watch.clone());
        async move {
            let WorkerQueryContext { builder, headers } = context;
            let rewrite = move |event: WorkerPlanRewriteEvent<'_>| {
                let plan = stage(event.plan, event.session_config.options())?;
                if let Some(watch) = &watch {
                    watch(&plan);
                }
                Ok(WorkerPlanRewriteEventResponse::new(plan))
            };
            let builder = builder
                .with_distributed_option_extension_from_headers::<JoineryOptions>(&headers)?
                .with_distributed_channel_resolver(connections)
                .with_distributed_worker_plan_rewrite_handler(rewrite);
            Ok::<_, DataFusionError>(builder.build())
        }
    };
    Worker::from_session_builder(session)
        .with_runtime_env(environment)
        .with_version(VERSION)
}

/// What the queries of a worker share: so many bytes, if there is a limit, and the files below `folders`, if there are any,
/// and otherwise all files, to be read. Nothing is written to disk, so nothing is left there by a worker that is killed.
///
/// # Errors
///
/// If one of the folders is none.
pub fn environment(memory: Option<usize>, folders: Option<&[PathBuf]>) -> Result<Arc<RuntimeEnv>> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let mut builder = RuntimeEnvBuilder::new().with_disk_manager_builder(disk);
    if let Some(bytes) = memory {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
        builder = builder.with_memory_pool(pool);
    }
    let environment = builder.build_arc()?;
    let files = Arc::new(ReadOnly::new(folders)?);
    environment.register_object_store(ObjectStoreUrl::local_filesystem().as_ref(), files);
    Ok(environment)
}

/// Listens at an address, a host and a port. Others than this machine reach it only if they are told from everybody by
/// certificates, or if it `is_open`: whoever reaches a worker can read what it reads.
///
/// # Errors
///
/// If it is no address of this machine, is taken, or can be reached by anybody.
pub fn listen(address: &str, wire: &Wire, is_open: bool) -> Result<TcpListener> {
    let cannot = |error: std::io::Error| config_datafusion_err!("--listen {address}: {error}");
    let found: Vec<SocketAddr> = address.to_socket_addrs().map_err(cannot)?.collect();
    let is_here = found.iter().all(|found| found.ip().is_loopback());
    if !is_here && wire.tls.is_none() && !is_open {
        return config_err!(
            "--listen {address}: others than this machine would reach the worker, and whoever does can read its files; \
             give --tls-cert, --tls-key and --tls-ca, or say --i-know-this-is-open"
        );
    }
    let listener = TcpListener::bind(&*found).map_err(cannot)?;
    listener.set_nonblocking(true).map_err(cannot)?;
    Ok(listener)
}

/// Answers whoever connects, until the process ends: what is asked is executed by the threads of the caller's runtime.
///
/// A connection that gives no sign of life is closed, and what was done for it is stopped.
///
/// # Errors
///
/// If the certificates are of no use, or the system accepts no connections any more.
pub async fn serve(worker: Worker, listener: TcpListener, connections: &Connections) -> Result<()> {
    let failed = |error: tonic::transport::Error| DataFusionError::External(error.into());
    let wire = connections.wire();
    let server = Server::builder()
        .http2_keepalive_interval(Some(wire.half()))
        .http2_keepalive_timeout(Some(wire.half()));
    let mut server = match &wire.tls {
        None => server,
        Some(tls) => server.tls_config(tls.server()).map_err(failed)?,
    };
    let router = server.add_service(Elsewhere {
        service: worker.into_worker_server(),
        runtime: Handle::current(),
    });
    let served = connections.runtime().spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        router.serve_with_incoming(incoming).await.map_err(failed)
    });
    let ended = served.await;
    ended.map_err(|error| DataFusionError::External(error.into()))?
}

/// A service whose answers are worked out on another runtime than the one that has its connections.
#[derive(Clone)]
struct Elsewhere<S> {
    service: S,
    runtime: Handle,
}

impl<S: NamedService> NamedService for Elsewhere<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Elsewhere<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.service.call(request);
        // Whoever does not wait for the answer any more stops what makes it.
        let answer = {
            let _runtime = self.runtime.enter();
            SpawnedTask::spawn(answer)
        };
        Box::pin(async move {
            answer.await.unwrap_or_else(|error| {
                let failed = Status::internal(format!("a request could not be answered: {error}"));
                Ok(failed.into_http())
            })
        })
    }
}
