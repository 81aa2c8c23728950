//! Two workers that are reached by pipes.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::object_store::path::Path as StorePath;
use datafusion::object_store::{CopyOptions, GetOptions, ObjectStore, PutOptions};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use datafusion_distributed::{ChannelResolver, DistributedExt, WorkerChannel, grpc};
use futures::StreamExt;
use futures::stream;
use hyper_util::rt::TokioIo;
use joinery_datafusion::{JoineryOptions, Mode, Without, hash_joins};
use joinery_distributed::{
    Cluster, ReadOnly, SessionStateBuilderExt, Watch, Way, Wire, environment, explained,
    on_workers, sent, worker,
};
use joinery_tpch::{TABLES, queries, table};
use tempfile::TempDir;
use tonic::transport::{Endpoint, Server};
use url::Url;

/// Some 60,000 lines of orders.
const SCALE: f64 = 0.01;

/// What workers were about to execute.
type Stages = Arc<Mutex<Vec<Arc<dyn ExecutionPlan>>>>;

/// Connections that are pipes to workers of this process.
#[derive(Clone, Default)]
struct Pipes(Arc<OnceLock<HashMap<Url, grpc::BoxCloneSyncChannel>>>);

#[async_trait]
impl ChannelResolver for Pipes {
    async fn get_worker_client_for_url(
        &self,
        url: &Url,
    ) -> Result<Box<dyn WorkerChannel>, DataFusionError> {
        let channel = self.0.get().unwrap()[url].clone();
        Ok(grpc::create_worker_client(channel))
    }
}

impl Pipes {
    /// Starts workers, and a pipe to each.
    fn start(urls: Vec<Url>, environment: &Arc<RuntimeEnv>, stages: &Stages) -> Self {
        let pipes = Self::default();
        let channels = urls.into_iter().map(|url| {
            let (here, there) = tokio::io::duplex(1 << 20);
            let mut here = Some(TokioIo::new(here));
            let connector = tower::service_fn(move |_| {
                let here = here.take().ok_or_else(|| std::io::Error::other("closed"));
                std::future::ready(here)
            });
            let endpoint = Endpoint::from_shared(url.to_string()).unwrap();
            let channel = endpoint.connect_with_connector_lazy(connector);
            let stages = stages.clone();
            let watch: Watch = Arc::new(move |plan| stages.lock().unwrap().push(plan.clone()));
            let worker = worker(pipes.clone(), environment.clone(), Some(watch));
            let server = Server::builder().add_service(worker.into_worker_server());
            let incoming = tokio_stream::once(Ok::<_, std::io::Error>(there));
            tokio::spawn(server.serve_with_incoming(incoming));
            (url, grpc::BoxCloneSyncChannel::new(channel))
        });
        let channels = channels.collect();
        assert!(pipes.0.set(channels).is_ok());
        pipes
    }
}

/// A session on two workers.
struct Two {
    context: SessionContext,
    stages: Stages,
}

impl Two {
    fn new(mode: Mode, environment: &Arc<RuntimeEnv>) -> Self {
        let wire = Wire {
            timeout: Duration::from_secs(60),
            tls: None,
        };
        let addresses = ["one:1", "two:2"];
        let cluster = Cluster::new(&addresses.map(str::to_owned), wire).unwrap();
        let urls = addresses.map(|address| Url::parse(&format!("http://{address}")).unwrap());
        let stages = Stages::default();
        let pipes = Pipes::start(urls.to_vec(), environment, &stages);
        let mut config = SessionConfig::new().with_target_partitions(2);
        let options = JoineryOptions::of(mode, Without::default());
        config.options_mut().extensions.insert(options);
        let builder = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_joinery_on(&cluster)
            .unwrap()
            .with_distributed_channel_resolver(pipes)
            // Everything is divided, however small.
            .with_distributed_file_scan_config_bytes_per_partition(1)
            .unwrap();
        Self {
            context: SessionContext::new_with_state(builder.build()),
            stages,
        }
    }

    async fn plan(&self, query: &str) -> Result<Arc<dyn ExecutionPlan>> {
        self.context.sql(query).await?.create_physical_plan().await
    }

    /// How many hash joins were Joinery's, and how many were left, in the stages that workers were sent since this was last
    /// asked.
    fn joins(&self) -> (usize, usize) {
        let stages = std::mem::take(&mut *self.stages.lock().unwrap());
        let found = stages.iter().map(hash_joins);
        found.fold((0, 0), |(a, b), (taken, left)| (a + taken, b + left))
    }
}

/// TPC-H as Parquet files.
fn tpch() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in TABLES {
        let file = std::fs::File::create(folder.path().join(format!("{name}.parquet"))).unwrap();
        let reader = table(name, SCALE);
        let mut writer = ArrowWriter::try_new(file, reader.schema(), None).unwrap();
        for batch in reader {
            writer.write(&batch.unwrap()).unwrap();
        }
        writer.close().unwrap();
    }
    folder
}

async fn register(context: &SessionContext, folder: &Path) {
    for name in TABLES {
        let path = folder.join(format!("{name}.parquet"));
        let path = path.to_str().unwrap();
        let options = ParquetReadOptions::default();
        context.register_parquet(name, path, options).await.unwrap();
    }
}

/// Rows as text, sorted.
async fn answer(context: &SessionContext, query: &str) -> Result<Vec<String>> {
    let batches = context.sql(query).await?.collect().await?;
    let shown = datafusion::arrow::util::pretty::pretty_format_batches(&batches)?.to_string();
    let mut rows: Vec<String> = shown.lines().map(str::to_owned).collect();
    rows.sort_unstable();
    Ok(rows)
}

const JOIN: &str = "select o_orderpriority, count(*) from orders join lineitem on o_orderkey = l_orderkey group by 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_is_answered_alike_and_workers_take_every_join_over() {
    let folder = tpch();
    let environment = environment(None, Some(&[folder.path().to_owned()])).unwrap();
    let stock = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    register(&stock, folder.path()).await;
    let sessions = [Mode::Join, Mode::Streaming].map(|mode| (mode, Two::new(mode, &environment)));
    for (_, two) in &sessions {
        register(&two.context, folder.path()).await;
    }
    let mut all = 0;
    for (number, query) in (1..).zip(queries()) {
        let expected = answer(&stock, &query).await.unwrap();
        for (mode, two) in &sessions {
            let found = answer(&two.context, &query).await.unwrap();
            assert_eq!(found, expected, "Q{number}, {mode}");
            let (taken, left) = two.joins();
            assert_eq!(left, 0, "Q{number}, {mode}");
            all += taken;
        }
    }
    assert!(all > 200, "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_reach_workers() {
    let folder = tpch();
    let two = Two::new(Mode::Join, &environment(None, None).unwrap());
    register(&two.context, folder.path()).await;
    let rows = answer(&two.context, JOIN).await.unwrap();
    let (taken, left) = two.joins();
    assert!(taken > 0 && left == 0, "{taken} {left}");
    two.context.sql("set joinery.mode = 'off'").await.unwrap();
    assert_eq!(answer(&two.context, JOIN).await.unwrap(), rows);
    assert_eq!(two.joins(), (0, taken));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_explained_as_workers_have_it() {
    let folder = tpch();
    let two = Two::new(Mode::Join, &environment(None, None).unwrap());
    register(&two.context, folder.path()).await;
    let plan = two.plan(JOIN).await.unwrap();
    let config = two.context.copied_config();
    let text = explained(plan.clone(), config.options()).unwrap();
    for part in [
        "DistributedExec",
        "Stage 1",
        "tasks=2",
        "JoineryExec: mode=join",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let of_all = hash_joins(&on_workers(plan.clone(), config.options()).unwrap());
    collect(plan.clone(), two.context.task_ctx()).await.unwrap();
    // Each stage with a join is sent to both.
    assert_eq!(two.joins(), (2 * of_all.0, 2 * of_all.1));
    let sent = sent(plan).await.unwrap().unwrap();
    let numbers: Vec<usize> = sent.iter().map(|sent| sent.stage).collect();
    assert!(numbers.iter().copied().eq(1..=sent.len()), "{sent:?}");
    assert!(
        sent.iter().all(|sent| sent.tasks == 2 && sent.bytes > 0),
        "{sent:?}"
    );
    let ways = [Way::Gathered, Way::Shuffled];
    let is_there = |way: &Way| sent.iter().any(|sent| sent.way == *way);
    assert!(ways.iter().all(is_there), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_read_nothing_outside_of_what_they_may() {
    let (folder, other) = (tpch(), tempfile::tempdir().unwrap());
    let allowed = [other.path().to_owned()];
    let two = Two::new(Mode::Join, &environment(None, Some(&allowed)).unwrap());
    register(&two.context, folder.path()).await;
    let refused = |error: DataFusionError| {
        let error = error.to_string();
        assert!(
            error.contains("outside of what --allow-path gives"),
            "{error}"
        );
    };
    refused(answer(&two.context, JOIN).await.unwrap_err());
    // Nor by a link that leads out.
    let link = other.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let two = Two::new(Mode::Join, &environment(None, Some(&allowed)).unwrap());
    register(&two.context, &link).await;
    refused(answer(&two.context, JOIN).await.unwrap_err());
    let missing = environment(None, Some(&["/nowhere".into()])).unwrap_err();
    assert!(missing.to_string().contains("/nowhere: "), "{missing}");
}

#[tokio::test]
async fn workers_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    let store = ReadOnly::new(None).unwrap();
    let [here, folder] =
        [&file, &folder.path().to_owned()].map(|path| StorePath::from_absolute_path(path).unwrap());
    let read = store.get_opts(&here, GetOptions::default()).await.unwrap();
    assert_eq!(&*read.bytes().await.unwrap(), b"kept");
    let written = store.put_opts(&here, "other".into(), PutOptions::default());
    assert!(written.await.is_err());
    let copy = folder.clone().join("copy");
    let copied = store.copy_opts(&here, &copy, CopyOptions::default());
    assert!(copied.await.is_err());
    let these = stream::iter([Ok(here.clone())]).boxed();
    assert!(store.delete_stream(these).next().await.unwrap().is_err());
    assert!(store.list(Some(&folder)).next().await.unwrap().is_err());
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_partner_is_not_shuffled_where_filters_are_asked_for() {
    let folder = tpch();
    let two = Two::new(Mode::Join, &environment(None, None).unwrap());
    register(&two.context, folder.path()).await;
    for (name, value) in [
        // Both sides are shuffled, though they are small.
        (
            "datafusion.optimizer.hash_join_single_partition_threshold",
            "0",
        ),
        (
            "datafusion.optimizer.hash_join_single_partition_threshold_rows",
            "0",
        ),
    ] {
        two.context
            .sql(&format!("set {name} = {value}"))
            .await
            .unwrap();
    }
    let query = "select o_orderdate, l_comment from orders join lineitem on o_orderkey = l_orderkey \
                 where o_orderdate < date '1992-02-01' order by 1, 2";
    let mut found = Vec::new();
    for filters in [false, true] {
        let setting = format!("set joinery.filters_before_shuffle = {filters}");
        two.context.sql(&setting).await.unwrap();
        let plan = two.plan(query).await.unwrap();
        let rows = collect(plan.clone(), two.context.task_ctx()).await.unwrap();
        let rows: usize = rows.iter().map(|batch| batch.num_rows()).sum();
        let sent = sent(plan).await.unwrap().unwrap();
        let sent = sent.iter().filter(|sent| sent.way != Way::Gathered);
        found.push((rows, sent.map(|sent| sent.bytes).sum::<usize>()));
    }
    let [(rows, without), (again, with)] = found[..] else {
        panic!("{found:?}");
    };
    assert!(rows > 100 && rows == again, "{found:?}");
    assert!(with * 2 < without, "{found:?}");
}
