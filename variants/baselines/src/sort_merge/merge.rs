//! The merge of two sorted runs.

use join_core::key::{Key, Tuple};
use join_core::output::Sink;

/// Emits all pairs of equal keys of two runs sorted by key.
///
/// Each step moves on on one side, without a branch on which: the keys decide it at random. Only duplicates on the build
/// side take a branch.
#[inline(always)]
pub(super) fn merge<K: Key, S: Sink>(build: &[Tuple<K>], probe: &[Tuple<K>], sink: &mut S) {
    let (mut b, mut p) = (0, 0);
    while b < build.len() && p < probe.len() {
        let (of_build, of_probe) = (&build[b], &probe[p]);
        let row = of_probe.row_id();
        sink.emit_if(of_build.key == of_probe.key, of_build.row_id(), row);
        let others = build[b + 1..].iter();
        for other in others.take_while(|other| other.key == of_build.key) {
            if of_build.key != of_probe.key {
                break;
            }
            sink.emit(other.row_id(), row);
        }
        let behind = of_build.key < of_probe.key;
        b += usize::from(behind);
        p += usize::from(!behind);
    }
}
