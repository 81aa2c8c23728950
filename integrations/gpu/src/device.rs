//! The device that kernels run on.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use wgpu::{
    Adapter, Backends, BindGroup, BindGroupDescriptor, BindGroupEntry, Buffer, BufferDescriptor,
    BufferUsages, ComputePipeline, DeviceType, PollType, SubmissionIndex,
};

use crate::GpuError;
use crate::join::JoinKernels;

/// A kernel runs for less, or the device is taken for hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// llvmpipe leaves the loops of a kernel once they have run 65,535 times together (`LP_MAX_TGSI_LOOP_ITERATIONS` in Mesa's
/// source), for all threads of a subgroup at once, and says nothing; kernels find out behind each loop. Reading a lane
/// takes at most one for each two of its bytes.
const SOFTWARE_LANE: u64 = 120 << 10;
/// Adding up a flight takes few enough of them then, unless most of its bytes are in a few long rows.
const SOFTWARE_FLIGHT: u64 = 16 << 20;

/// What the device said without being asked: the first thing.
#[derive(Clone, Debug, Default)]
struct Said(Arc<Mutex<Option<GpuError>>>);

impl Said {
    fn note(&self, error: GpuError) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.get_or_insert(error);
    }

    fn take(&self) -> Result<(), GpuError> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.take().map_or(Ok(()), Err)
    }
}

/// A device with the kernels.
#[derive(Debug)]
pub struct Device {
    name: String,
    is_software: bool,
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) kernels: Kernels,
    /// Those of keys of one word, and of two.
    join_kernels: [OnceLock<JoinKernels>; 2],
    said: Said,
}

/// The entry points of `kernels.wgsl`, and of `overlap.wgsl`.
#[derive(Debug)]
pub(crate) struct Kernels {
    pub count: ComputePipeline,
    pub scan: ComputePipeline,
    pub place: ComputePipeline,
    pub fill: ComputePipeline,
    pub add: ComputePipeline,
    pub count_overlapped: ComputePipeline,
    pub place_overlapped: ComputePipeline,
}

/// What they are made of.
const SOURCE: &str = concat!(
    include_str!("scan.wgsl"),
    include_str!("kernels.wgsl"),
    include_str!("overlap.wgsl")
);

/// Lines of code of the kernels of these names, and of the functions that they call.
pub fn code_lines(kernels: &[&str]) -> usize {
    let mut wanted: Vec<&str> = kernels.to_vec();
    let mut lines = 0;
    let functions: Vec<(&str, &str)> = SOURCE
        .split("\nfn ")
        .skip(1)
        .filter_map(|text| Some((text.split_once('(')?.0, text.split_once("\n}")?.0)))
        .collect();
    let mut done = 0;
    while let Some(&name) = wanted.get(done) {
        done += 1;
        let body = functions.iter().find(|(other, _)| *other == name);
        let Some((_, body)) = body else { continue };
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        // And the brace that ends it.
        lines += body.lines().filter(is_code).count() + 1;
        for (other, _) in &functions {
            let is_called = body.contains(&format!("{other}("));
            if is_called && !wanted.contains(other) {
                wanted.push(other);
            }
        }
    }
    lines
}

/// All adapters of the system, in its order.
pub fn adapters() -> Vec<Adapter> {
    let description = wgpu::InstanceDescriptor::new_without_display_handle();
    pollster::block_on(wgpu::Instance::new(description).enumerate_adapters(Backends::all()))
}

/// Whether an adapter is the processor.
pub fn is_software(adapter: &Adapter) -> bool {
    adapter.get_info().device_type == DeviceType::Cpu
}

impl Device {
    /// The adapter whose name has this in it, or the first one that is a GPU, or any.
    ///
    /// # Errors
    /// If there is none, or it does not start.
    pub fn open(name: Option<&str>) -> Result<Device, GpuError> {
        let mut all = adapters();
        if let Some(name) = name {
            let has = |adapter: &Adapter| adapter.get_info().name.contains(name);
            if !all.iter().any(has) {
                let names: Vec<_> = all.iter().map(|adapter| adapter.get_info().name).collect();
                return Err(GpuError::NoSuchAdapter {
                    name: name.to_owned(),
                    names: names.join(", "),
                });
            }
            all.retain(has);
        }
        all.sort_by_key(is_software);
        let adapter = all.first().ok_or(GpuError::NoAdapter)?;
        let info = adapter.get_info();
        let description = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&description))
            .map_err(|error| GpuError::Start(format!("{}: {error}", info.name)))?;
        let said = Said::default();
        let errors = said.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            errors.note(match error {
                wgpu::Error::OutOfMemory { .. } => GpuError::Memory,
                other => GpuError::Device(other.to_string()),
            });
        }));
        let lost = said.clone();
        device.set_device_lost_callback(move |_, what| lost.note(GpuError::Lost(what)));
        let kernels = Kernels::compile(&device);
        said.take()?;
        Ok(Device {
            name: info.name,
            is_software: info.device_type == DeviceType::Cpu,
            device,
            queue,
            kernels,
            join_kernels: Default::default(),
            said,
        })
    }

    /// The adapter's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is the processor, whose times say nothing of a GPU.
    pub fn is_software(&self) -> bool {
        self.is_software
    }

    /// Bytes that a kernel can be given in one piece.
    pub fn most_bound(&self) -> u64 {
        let limits = self.device.limits();
        limits
            .max_buffer_size
            .min(limits.max_storage_buffer_binding_size)
    }

    /// Bytes of rows that one thread reads, at most.
    pub(crate) fn most_lane(&self) -> u64 {
        match self.is_software {
            true => SOFTWARE_LANE,
            false => u64::MAX,
        }
    }

    /// Bytes of rows that are read at once, at most.
    pub(crate) fn most_flight(&self) -> u64 {
        match self.is_software {
            true => SOFTWARE_FLIGHT,
            false => u64::MAX,
        }
    }

    /// Copies so many bytes to the device, `at_once` of them at a time, and does nothing with them.
    ///
    /// # Errors
    /// If the device fails.
    pub fn copy(&self, at_once: u64, bytes: u64) -> Result<(), GpuError> {
        let at_once = at_once.min(self.most_bound()).next_multiple_of(4);
        let from = vec![1; at_once as usize];
        let to = self.buffer(at_once, BufferUsages::COPY_DST);
        let mut last = None;
        for at in (0..bytes).step_by(at_once as usize) {
            let part = at_once.min(bytes - at).next_multiple_of(4);
            self.queue.write_buffer(&to, 0, &from[..part as usize]);
            let submission = self.queue.submit([]);
            if let Some(before) = last.replace(submission) {
                self.wait(&before)?;
            }
        }
        last.map_or(Ok(()), |last| self.wait(&last))
    }

    /// Takes the device away, as a driver does that gives up.
    pub fn lose(&self) {
        self.device.destroy();
    }

    pub(crate) fn buffer(&self, bytes: u64, usage: BufferUsages) -> Buffer {
        self.device.create_buffer(&BufferDescriptor {
            label: None,
            size: bytes.next_multiple_of(4).max(16),
            usage,
            mapped_at_creation: false,
        })
    }

    /// A buffer of these bytes, for kernels to read.
    pub(crate) fn filled(&self, bytes: &[u8]) -> Buffer {
        let buffer = self.device.create_buffer(&BufferDescriptor {
            label: None,
            size: bytes.len() as u64,
            usage: BufferUsages::STORAGE,
            mapped_at_creation: true,
        });
        // A device that is lost maps none; whoever waits for it is told.
        if let Ok(mut view) = buffer.get_mapped_range_mut(..) {
            view.slice(..).copy_from_slice(bytes);
        }
        buffer.unmap();
        buffer
    }

    /// Buffers for a kernel, each with the number of its binding.
    pub(crate) fn group(&self, kernel: &ComputePipeline, bound: &[(u32, &Buffer)]) -> BindGroup {
        let entries: Vec<_> = bound
            .iter()
            .map(|(binding, buffer)| BindGroupEntry {
                binding: *binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        self.device.create_bind_group(&BindGroupDescriptor {
            label: None,
            layout: &kernel.get_bind_group_layout(0),
            entries: &entries,
        })
    }

    /// The kernels of joins on keys of so many words.
    pub(crate) fn join_kernels(&self, words: u32) -> &JoinKernels {
        let of_words = &self.join_kernels[words as usize - 1];
        of_words.get_or_init(|| JoinKernels::compile(&self.device, words))
    }

    /// What went wrong so far.
    pub(crate) fn fault(&self) -> Result<(), GpuError> {
        // That it was lost is told to those who ask.
        let _ = self.device.poll(PollType::Poll);
        self.said.take()
    }

    /// Waits until all was done.
    pub(crate) fn finish(&self) -> Result<(), GpuError> {
        let last = self.queue.submit([]);
        self.wait(&last)
    }

    /// Waits until this was done.
    pub(crate) fn wait(&self, submission: &SubmissionIndex) -> Result<(), GpuError> {
        let waited = self.device.poll(PollType::Wait {
            submission_index: Some(submission.clone()),
            timeout: Some(PATIENCE),
        });
        self.fault()?;
        match waited {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => Err(GpuError::Hung(PATIENCE.as_secs())),
            Err(other) => Err(GpuError::Device(other.to_string())),
        }
    }
}

/// What came back in a buffer that is mapped.
pub(crate) fn mapped(buffer: &Buffer) -> Result<wgpu::BufferView, GpuError> {
    let view = buffer.get_mapped_range(..);
    view.map_err(|error| GpuError::Device(error.to_string()))
}

/// Makes kernels of a source by the names of their entry points, with constants of these values.
pub(crate) fn kernels_of<'d>(
    device: &'d wgpu::Device,
    source: &str,
    constants: &'d [(&'d str, f64)],
) -> impl Fn(&str) -> ComputePipeline + use<'d> {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    move |name| {
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &module,
            entry_point: Some(name),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                ..Default::default()
            },
            cache: None,
        })
    }
}

impl Kernels {
    fn compile(device: &wgpu::Device) -> Kernels {
        let kernel = kernels_of(device, SOURCE, &[]);
        Kernels {
            count: kernel("count"),
            scan: kernel("scan"),
            place: kernel("place"),
            fill: kernel("fill"),
            add: kernel("add"),
            count_overlapped: kernel("count_overlapped"),
            place_overlapped: kernel("place_overlapped"),
        }
    }
}
