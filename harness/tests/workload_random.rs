//! Random workload files: none of them panics, an error is one line, and what is accepted makes its data within the
//! memory that it says, with the oracle's answer.

use std::alloc::{GlobalAlloc, Layout, System};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::workload::{Definition, Instance};
use proptest::prelude::*;
use proptest::sample::select;
use report::record::Size;

/// Counts what is allocated. This file has one test, so that nobody else allocates meanwhile.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is the system's; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

/// What may be made at all, in bytes.
const USABLE: u64 = 48 << 20;

/// Bytes that do not depend on the rows: lists of words of TPC-H, and what a test itself holds.
const FIXED: usize = 12 << 20;

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0_u32..5000).prop_map(|number| number.to_string()),
        2 => select(&["\"1K\"", "\"64K\"", "700_000", "\"2M\"", "1", "0", "2"][..]).prop_map(str::to_owned),
        1 => select(
            &[
                "\"3G\"", "4294967295", "\"4G\"", "9223372036854775807", "-1", "1.5", "\"\"", "\"x\"",
                "\"99999999999G\"", "true", "[]",
            ][..]
        )
        .prop_map(str::to_owned),
    ]
}

fn share() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0.0..=1.0).prop_map(|share: f64| format!("{share:?}")),
        1 => select(&["0.0", "1.0", "-0.0", "-0.1", "1.1", "nan", "inf", "1e-300", "1", "\"a\""][..])
            .prop_map(str::to_owned),
    ]
}

fn keys(probe: bool) -> BoxedStrategy<String> {
    let exponent = select(&["0.0", "0.5", "1.0", "1.25", "20.0", "21.0", "-1.0", "nan"][..]);
    let plain = match probe {
        false => select(&["\"unique\"", "\"even\"", "7"][..]),
        true => select(&["\"uniform\"", "\"even\"", "\"heavy-once\"", "\"unique\""][..]),
    };
    let of_share = |name: &'static str| {
        share().prop_map(move |share| format!("{{ {name} = {{ share = {share} }} }}"))
    };
    let more = match probe {
        false => prop_oneof![
            of_share("heavy"),
            number().prop_map(|each| format!("{{ duplicated = {{ each = {each} }} }}")),
        ]
        .boxed(),
        true => prop_oneof![
            of_share("match"),
            exponent.prop_map(|exponent| format!("{{ zipf = {{ exponent = {exponent} }} }}")),
        ]
        .boxed(),
    };
    prop_oneof![plain.prop_map(str::to_owned), more].boxed()
}

fn side(name: &'static str, probe: bool) -> impl Strategy<Value = String> {
    let line = |name: &'static str, value: BoxedStrategy<String>, weight: f64| {
        let line = value.prop_map(move |value| format!("{name} = {value}\n"));
        proptest::option::weighted(weight, line).prop_map(Option::unwrap_or_default)
    };
    let rows = line("rows", number().boxed(), 0.95);
    let (keys, nulls) = (
        line("keys", keys(probe), 0.95),
        line("null_share", share().boxed(), 0.3),
    );
    (rows, keys, nulls)
        .prop_map(move |(rows, keys, nulls)| format!("[{name}]\n{rows}{keys}{nulls}"))
}

fn sizes() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        number().prop_map(|rows| format!("build_rows = {rows}")),
        number().prop_map(|rows| format!("probe_rows = {rows}")),
        select(
            &[
                "scale_factor = 0.0003",
                "scale_factor = 1e9",
                "rungs = { from = 2, to = 4, step = 2 }"
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    let size = select(&["quick", "default", "full"][..]);
    let section = (size, field).prop_map(|(size, field)| format!("[{size}]\n{field}\n"));
    proptest::option::weighted(0.3, section).prop_map(Option::unwrap_or_default)
}

fn ladder() -> impl Strategy<Value = String> {
    let rung = || prop_oneof![0_u32..12, select(&[20, 31, 32, u32::MAX][..])];
    (rung(), rung(), select(&[0, 1, 3, u32::MAX][..]), number(), number()).prop_map(|(from, to, step, factor, cap)| {
        format!(
            "[build]\nkeys = \"unique\"\n[probe]\nkeys = \"even\"\n[ladder]\n\
             rungs = {{ from = {from}, to = {to}, step = {step} }}\nprobe_factor = {factor}\nprobe_cap = {cap}\n"
        )
    })
}

fn tpch() -> impl Strategy<Value = String> {
    let join = select(
        &[
            "orders-lineitem",
            "part-lineitem",
            "date-lineorder",
            "customer-lineorder",
            "supplier-lineorder",
            "part-lineorder",
            "none",
        ][..],
    );
    let scale = select(
        &[
            "0.0001", "0.003", "0.1", "700.0", "701.0", "0.0", "nan", "-1.0", "1",
        ][..],
    );
    (join, scale)
        .prop_map(|(join, scale)| format!("[tpch]\njoin = \"{join}\"\nscale_factor = {scale}\n"))
}

/// A file of the form, with numbers of all kinds, and sometimes a few characters that were changed.
fn file() -> impl Strategy<Value = String> {
    let key_type = select(&["", "", "key_type = \"INT64\"\n", "key_type = \"FP64\"\n"][..]);
    let body = prop_oneof![
        4 => (side("build", false), side("probe", true)).prop_map(|(build, probe)| build + &probe),
        1 => ladder(),
        1 => tpch(),
    ];
    let slips = proptest::collection::vec((any::<prop::sample::Index>(), any::<char>()), 0..3);
    let slips = prop_oneof![3 => Just(Vec::new()), 1 => slips];
    (key_type, body, sizes(), slips).prop_map(|(key_type, body, sizes, slips)| {
        let text = format!("name = \"n\"\nsentence = \"s\"\n{key_type}{body}{sizes}");
        let mut characters: Vec<char> = text.chars().collect();
        for (place, character) in slips {
            *place.get_mut(&mut characters) = character;
        }
        characters.into_iter().collect()
    })
}

/// Makes the data of an instance that fits, and compares its answer.
fn check(instance: &Instance, text: &str) -> Result<(), TestCaseError> {
    if let Err(error) = instance.fits(USABLE) {
        let error = error.to_string();
        prop_assert!(error.contains("MiB") && !error.contains('\n'), "{}", error);
        return Ok(());
    }
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let workload = match instance.generate(None, NonZeroUsize::MIN) {
        Ok(workload) => workload,
        Err(error) => {
            prop_assert!(!error.to_string().contains('\n'), "{}", error);
            return Ok(());
        }
    };
    let peak = PEAK.load(Ordering::Relaxed) - before;
    let promised = instance.needed_bytes() as usize + FIXED;
    prop_assert!(
        peak <= promised,
        "{} took {} bytes, not {}: {}",
        instance.name,
        peak,
        promised,
        text
    );
    prop_assert_eq!(
        workload.oracle(),
        workload.expected,
        "{}: {}",
        instance.name,
        text
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_refused_or_makes_its_data(text in file()) {
        let definition = match Definition::parse("n.toml", Path::new(""), &text) {
            Ok(definition) => definition,
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.starts_with("n.toml") && !error.contains('\n'), "{}", error);
                return Ok(());
            }
        };
        for size in [Size::Quick, Size::Full] {
            if let Ok(instances) = definition.instances(size) {
                for instance in &instances {
                    check(instance, &text)?;
                }
            }
        }
    }
}
