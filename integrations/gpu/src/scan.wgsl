// The sums of what a workgroup's threads have, in front of each thread.

const SCANNED = 256u;
var<workgroup> tile: array<u32, SCANNED>;

// The sum of what the threads in front of this one have. `sum_of_tile` must follow.
fn before_in_tile(own: u32, thread: u32) -> u32 {
    tile[thread] = own;
    workgroupBarrier();
    for (var distance = 1u; distance < SCANNED; distance <<= 1u) {
        var other = 0u;
        if thread >= distance {
            other = tile[thread - distance];
        }
        workgroupBarrier();
        tile[thread] += other;
        workgroupBarrier();
    }
    return tile[thread] - own;
}

// The sum of what all threads have. After this the tile may be filled again.
fn sum_of_tile() -> u32 {
    let sum = tile[SCANNED - 1u];
    workgroupBarrier();
    return sum;
}
