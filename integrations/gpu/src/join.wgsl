// An inner join on equal keys: count, prefix sums, scatter into an unchained table; then count, prefix sums, write.
//
// A slot's tuples lie between the END of the slot before it and its own: entry s + 1 of the directory is the END of slot
// s, and entry 0 is 0, so that no slot is special. While tuples are placed, it is where the slot's next tuple goes.

// Words of a key: 1, or 2 with the low one first.
override WORDS: u32 = 1u;

// Tuples that a thread looks at in one go. Slots with more take several.
const WALKED = 4096u;

struct Step {
    // The first row in the part, and how many.
    first: u32,
    rows: u32,
    // Number of the part's first row in its column.
    base: u32,
    // Bits of a hash that are not the slot.
    shift: u32,
    // Tuples of each slot that others have looked at.
    walked: u32,
    // The first pair that is written, and how many there is room for.
    window: u32,
    room: u32,
}

@group(0) @binding(0) var<storage, read> this_step: Step;
// Keys of a part of a column, and a bit for each that is not NULL.
@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> valid: array<u32>;
@group(0) @binding(3) var<storage, read_write> cursors: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> placed: array<u32>;
// Tuples of the fullest slot, where that is more than a thread looks at in one go.
@group(0) @binding(5) var<storage, read_write> fullest: atomic<u32>;
// The same as `cursors` and `placed`, once they are finished.
@group(0) @binding(6) var<storage, read> directory: array<u32>;
@group(0) @binding(7) var<storage, read> tuples: array<u32>;
// What is summed up, in place, and the sums of its blocks.
@group(0) @binding(8) var<storage, read_write> scanned: array<u32>;
@group(0) @binding(9) var<storage, read_write> blocks: array<u32>;
// For each row of the step where its pairs go; the last one is where they end.
@group(0) @binding(10) var<storage, read> places: array<u32>;
// Build row, probe row.
@group(0) @binding(11) var<storage, read_write> pairs: array<vec2<u32>>;
// For each workgroup the pairs, the sum of their build rows, and that of their probe rows: two words each.
@group(0) @binding(12) var<storage, read_write> sums: array<vec2<u32>>;

const FIBONACCI = 0x9e3779b9u;

fn is_valid(row: u32) -> bool {
    return ((valid[row >> 5u] >> (row & 31u)) & 1u) == 1u;
}

fn slot_of(row: u32) -> u32 {
    var hash = keys[row * WORDS] * FIBONACCI;
    if WORDS == 2u {
        hash ^= hash >> 15u;
        hash = (hash ^ (keys[row * 2u + 1u] * 0x85ebca6bu)) * 0xc2b2ae35u;
        hash ^= hash >> 13u;
        hash *= FIBONACCI;
    }
    return hash >> this_step.shift;
}

@compute @workgroup_size(64)
fn count_slots(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = this_step.first + id.x;
    if id.x >= this_step.rows || !is_valid(row) {
        return;
    }
    let found = atomicAdd(&cursors[slot_of(row) + 1u], 1u) + 1u;
    if found > WALKED {
        atomicMax(&fullest, found);
    }
}

@compute @workgroup_size(64)
fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = this_step.first + id.x;
    if id.x >= this_step.rows || !is_valid(row) {
        return;
    }
    let at = atomicAdd(&cursors[slot_of(row) + 1u], 1u) * (WORDS + 1u);
    placed[at] = keys[row * WORDS];
    if WORDS == 2u {
        placed[at + 1u] = keys[row * 2u + 1u];
    }
    placed[at + WORDS] = this_step.base + row;
}

// Words that a workgroup sums up.
const BLOCK = 4096u;

// `rows` words from `this_step.first` on, block by block.
@compute @workgroup_size(256)
fn scan_blocks(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    var before = 0u;
    for (var base = 0u; base < BLOCK; base += SCANNED) {
        let i = group.x * BLOCK + base + thread;
        var own = 0u;
        if i < this_step.rows {
            own = scanned[this_step.first + i];
        }
        let in_front = before + before_in_tile(own, thread);
        if i < this_step.rows {
            scanned[this_step.first + i] = in_front;
        }
        before += sum_of_tile();
    }
    if thread == 0u {
        blocks[group.x] = before;
    }
}

// The sums of blocks, by one workgroup.
@compute @workgroup_size(256)
fn scan_totals(@builtin(local_invocation_index) thread: u32) {
    let all = (this_step.rows + BLOCK - 1u) / BLOCK;
    var before = 0u;
    for (var base = 0u; base < all; base += SCANNED) {
        let i = base + thread;
        var own = 0u;
        if i < all {
            own = blocks[i];
        }
        let in_front = before + before_in_tile(own, thread);
        if i < all {
            blocks[i] = in_front;
        }
        before += sum_of_tile();
    }
}

// What lies in front of each block is added to its words.
@compute @workgroup_size(256)
fn scan_add(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    for (var base = 0u; base < BLOCK; base += SCANNED) {
        let i = group.x * BLOCK + base + thread;
        if i < this_step.rows {
            scanned[this_step.first + i] += blocks[group.x];
        }
    }
}

// The tuples that a row is compared with in this go.
fn candidates(row: u32) -> vec2<u32> {
    if !is_valid(row) {
        return vec2(0u, 0u);
    }
    let slot = slot_of(row);
    let end = directory[slot + 1u];
    let at = min(end, directory[slot] + this_step.walked);
    return vec2(at, min(end, at + WALKED));
}

fn has_key(tuple: u32, row: u32) -> bool {
    let at = tuple * (WORDS + 1u);
    return tuples[at] == keys[row * WORDS]
        && (WORDS == 1u || tuples[at + 1u] == keys[row * 2u + 1u]);
}

fn row_of(tuple: u32) -> u32 {
    return tuples[tuple * (WORDS + 1u) + WORDS];
}

@compute @workgroup_size(64)
fn count_pairs(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = this_step.first + id.x;
    if id.x > this_step.rows {
        return;
    }
    var found = 0u;
    if id.x < this_step.rows {
        let range = candidates(row);
        for (var tuple = range.x; tuple < range.y; tuple++) {
            found += select(0u, 1u, has_key(tuple, row));
        }
    }
    scanned[id.x] = found;
}

@compute @workgroup_size(64)
fn write_pairs(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= this_step.rows {
        return;
    }
    let row = this_step.first + id.x;
    var place = places[id.x];
    if place >= this_step.window + this_step.room || places[id.x + 1u] <= this_step.window {
        return;
    }
    let range = candidates(row);
    for (var tuple = range.x; tuple < range.y; tuple++) {
        if has_key(tuple, row) {
            if place >= this_step.window && place - this_step.window < this_step.room {
                pairs[place - this_step.window] = vec2(row_of(tuple), this_step.base + row);
            }
            place++;
        }
    }
}

const SUMMING = 64u;
var<workgroup> shares: array<array<vec2<u32>, 3>, SUMMING>;

fn sum64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + select(0u, 1u, low < a.x));
}

// A number times a smaller one, which has 16 bits at most.
fn times(a: u32, b: u32) -> vec2<u32> {
    let high = (a >> 16u) * b;
    return sum64(vec2((a & 0xffffu) * b, 0u), vec2(high << 16u, high >> 16u));
}

// In place of pairs their sums: each workgroup adds to its own.
@compute @workgroup_size(64)
fn sum_pairs(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    var found = 0u;
    var of_build = vec2(0u, 0u);
    let row = this_step.first + id.x;
    if id.x < this_step.rows {
        let range = candidates(row);
        for (var tuple = range.x; tuple < range.y; tuple++) {
            if has_key(tuple, row) {
                found++;
                of_build = sum64(of_build, vec2(row_of(tuple), 0u));
            }
        }
    }
    shares[thread] = array(vec2(found, 0u), of_build, times(this_step.base + row, found));
    workgroupBarrier();
    for (var half = SUMMING / 2u; half > 0u; half >>= 1u) {
        if thread < half {
            for (var i = 0u; i < 3u; i++) {
                shares[thread][i] = sum64(shares[thread][i], shares[thread + half][i]);
            }
        }
        workgroupBarrier();
    }
    if thread < 3u {
        sums[group.x * 3u + thread] = sum64(sums[group.x * 3u + thread], shares[0][thread]);
    }
}
