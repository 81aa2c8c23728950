// Rows of COPY BINARY into columns. Nothing is taken for granted of the bytes: a lane stays between its start and its end,
// and whoever reads behind `count` reads only what a lane has accepted.

// Bytes of whole rows, as words; the last word is padded.
@group(0) @binding(0) var<storage, read> bytes: array<u32>;
// Where the rows of each lane start and end in them.
@group(0) @binding(1) var<storage, read> lanes: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> plan: Plan;
// Rows of each lane; then, for each column of bytes, the bytes of each lane.
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;
// The sums of the counts in front of each, of rows with their total, of bytes with theirs.
@group(0) @binding(4) var<storage, read_write> places: array<u32>;
// The first lane that is no rows, the first row with a value that cannot be, then a bit per row that is not NULL.
@group(0) @binding(5) var<storage, read_write> flags: array<atomic<u32>>;
// Where each row starts.
@group(0) @binding(6) var<storage, read_write> starts: array<u32>;
// Where each value of a column of bytes starts in `text`, and where the last one ends.
@group(0) @binding(7) var<storage, read_write> offsets: array<u32>;
@group(0) @binding(8) var<storage, read_write> values: array<u32>;
@group(0) @binding(9) var<storage, read_write> text: array<atomic<u32>>;
// For each column and thread: values that are not NULL, and the two words of their sum.
@group(0) @binding(10) var<storage, read_write> sums: array<u32>;

struct Plan {
    lanes: u32,
    // Rows that there is room for.
    room: u32,
    // Columns of bytes.
    texts: u32,
    columns: array<Column>,
}

struct Column {
    kind: u32,
    // Bytes of a value as it is sent; 0 where they vary.
    width: u32,
    // Word of the first value, or which column of bytes it is.
    at: u32,
    // Word of the first bit.
    valid: u32,
}

const BYTES = 0u;
const INT2 = 1u;
const INT4 = 2u;
const INT8 = 3u;
const FLOAT4 = 4u;
const FLOAT8 = 5u;
const BOOL = 6u;
const DATE = 7u;
const TIMESTAMP = 8u;

const ABSENT = 0xffffffffu;
const BAD = 0xffffffffu;
const FIRST_FLAG = 2u;

// From 1970-01-01 to 2000-01-01, where the server counts from.
const EPOCH_DAYS = 10957i;
const EPOCH_MICROSECONDS = vec2(0x3b37e000u, 0x00035d01u);
// The first timestamp that would become the largest INT64, which stands for infinity, or more.
const BEYOND = vec2(0xc4c81fffu, 0x7ffca2feu);

fn swapped(word: u32) -> u32 {
    let pairs = ((word & 0x00ff00ffu) << 8u) | ((word >> 8u) & 0x00ff00ffu);
    return (pairs << 16u) | (pairs >> 16u);
}

// The `count` bytes from `at`, at most four, the first one lowest.
fn load(at: u32, count: u32) -> u32 {
    let shift = (at & 3u) * 8u;
    var word = bytes[at >> 2u] >> shift;
    if shift + count * 8u > 32u {
        word |= bytes[(at >> 2u) + 1u] << (32u - shift);
    }
    if count < 4u {
        word &= (1u << (count * 8u)) - 1u;
    }
    return word;
}

fn big(at: u32) -> u32 {
    return swapped(load(at, 4u));
}

fn big16(at: u32) -> u32 {
    return swapped(load(at, 2u)) >> 16u;
}

// Where the fields of a row start, or BAD.
fn fields(at: u32, end: u32) -> u32 {
    if end - at < 2u || big16(at) != arrayLength(&plan.columns) {
        return BAD;
    }
    return at + 2u;
}

// Where a field ends, or BAD.
fn after(at: u32, end: u32, column: u32) -> u32 {
    if end - at < 4u {
        return BAD;
    }
    let length = big(at);
    let value = at + 4u;
    if length == ABSENT {
        return value;
    }
    let width = plan.columns[column].width;
    if length > end - value || (width != 0u && length != width) {
        return BAD;
    }
    return value + length;
}

// Bytes of the value of a field between these places.
fn value_bytes(at: u32, end: u32) -> u32 {
    return end - at - 4u;
}

// Where the row at `at` ends, or BAD.
fn row_end(at: u32, end: u32) -> u32 {
    var next = fields(at, end);
    var column = 0u;
    for (; column < arrayLength(&plan.columns) && next != BAD; column++) {
        next = after(next, end, column);
    }
    // Also where a device has left the loop before its end.
    return select(BAD, next, column == arrayLength(&plan.columns));
}

fn clear_lane(lane: u32) {
    for (var j = 1u; j <= plan.texts; j++) {
        counts[j * plan.lanes + lane] = 0u;
    }
}

// Adds the bytes of a row's strings to those of its lane.
fn count_texts(lane: u32, row: u32, end: u32) {
    if plan.texts == 0u {
        return;
    }
    var field = row + 2u;
    for (var column = 0u; column < arrayLength(&plan.columns); column++) {
        let over = after(field, end, column);
        if plan.columns[column].kind == BYTES {
            counts[(1u + plan.columns[column].at) * plan.lanes + lane] += value_bytes(field, over);
        }
        field = over;
    }
}

@compute @workgroup_size(64)
fn count(@builtin(global_invocation_id) id: vec3<u32>) {
    let lane = id.x;
    if lane >= plan.lanes {
        return;
    }
    clear_lane(lane);
    var at = lanes[lane].x;
    let end = lanes[lane].y;
    var rows = 0u;
    while at < end {
        let next = row_end(at, end);
        if next == BAD {
            break;
        }
        count_texts(lane, at, next);
        at = next;
        rows++;
    }
    counts[lane] = rows;
    // Also where a device has left the loop before its end.
    if at != end {
        atomicMin(&flags[0], lane);
    }
}

@compute @workgroup_size(256)
fn scan(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let of_rows = group.x == 0u;
    let read_at = select(plan.lanes, 0u, of_rows);
    let write_at = select(plan.lanes + 1u, 0u, of_rows);
    let all = select(plan.lanes * plan.texts, plan.lanes, of_rows);
    var before = 0u;
    for (var base = 0u; base < all; base += SCANNED) {
        let i = base + thread;
        var own = 0u;
        if i < all {
            own = counts[read_at + i];
        }
        let in_front = before + before_in_tile(own, thread);
        if i < all {
            places[write_at + i] = in_front;
        }
        before += sum_of_tile();
    }
    if thread == 0u {
        places[write_at + all] = before;
    }
}

fn place_of(which: u32, lane: u32) -> u32 {
    return plan.lanes + 1u + which * plan.lanes + lane;
}

// Notes where a row starts, and where its strings go.
fn place_row(lane: u32, row: u32, at: u32, end: u32) {
    starts[row] = at;
    if plan.texts == 0u {
        return;
    }
    var field = at + 2u;
    for (var column = 0u; column < arrayLength(&plan.columns); column++) {
        let over = after(field, end, column);
        if plan.columns[column].kind == BYTES {
            let which = plan.columns[column].at;
            let place = place_of(which, lane);
            offsets[which * (plan.room + 1u) + row] = places[place];
            places[place] += value_bytes(field, over);
        }
        field = over;
    }
}

// Notes where the strings of all rows end.
fn end_texts(lane: u32, row: u32) {
    if lane + 1u == plan.lanes {
        for (var which = 0u; which < plan.texts; which++) {
            offsets[which * (plan.room + 1u) + row] = places[place_of(which, lane)];
        }
    }
}

@compute @workgroup_size(64)
fn place(@builtin(global_invocation_id) id: vec3<u32>) {
    let lane = id.x;
    if lane >= plan.lanes {
        return;
    }
    var at = lanes[lane].x;
    let end = lanes[lane].y;
    var row = places[lane];
    while at < end {
        let next = row_end(at, end);
        if next == BAD || row >= plan.room {
            break;
        }
        place_row(lane, row, at, next);
        at = next;
        row++;
    }
    end_texts(lane, row);
}

fn rows_placed() -> u32 {
    return min(places[plan.lanes], plan.room);
}

// A row's value cannot be, or a device has left a loop before its end: there are some that count.
fn refuse_unless(is_right: bool, row: u32) {
    if !is_right {
        atomicMin(&flags[1], row);
    }
}

// The bits of the FP64 of this FP32's value, low word first.
fn widened(single: u32) -> vec2<u32> {
    let sign = single & 0x80000000u;
    let exponent = (single >> 23u) & 0xffu;
    var mantissa = single & 0x7fffffu;
    var wide = exponent + 896u;
    if exponent == 0xffu {
        wide = 0x7ffu;
        if mantissa != 0u {
            // As processors do, which make a signalling NaN a quiet one.
            mantissa |= 0x400000u;
        }
    } else if exponent == 0u {
        if mantissa == 0u {
            return vec2(0u, sign);
        }
        let leading = firstLeadingBit(mantissa);
        mantissa = (mantissa << (23u - leading)) & 0x7fffffu;
        wide = leading + 874u;
    }
    return vec2(mantissa << 29u, sign | (wide << 20u) | (mantissa >> 3u));
}

fn sum64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + select(0u, 1u, low < a.x));
}

// Whether all of it was copied.
fn copy_text(read_at: u32, write_at: u32, length: u32) -> bool {
    var done = 0u;
    while done < length {
        let at = write_at + done;
        let taken = min(4u - (at & 3u), length - done);
        let part = load(read_at + done, taken);
        if taken == 4u {
            atomicStore(&text[at >> 2u], part);
        } else {
            // Neighbours have other bytes of this word.
            atomicOr(&text[at >> 2u], part << ((at & 3u) * 8u));
        }
        done += taken;
    }
    return done >= length;
}

fn store64(column: Column, row: u32, value: vec2<u32>) {
    values[column.at + 2u * row] = value.x;
    values[column.at + 2u * row + 1u] = value.y;
}

@compute @workgroup_size(64)
fn fill(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    var row = id.x;
    for (; row < rows_placed(); row += groups.x * 64u) {
        var at = starts[row] + 2u;
        var number = 0u;
        for (; number < arrayLength(&plan.columns); number++) {
            let column = plan.columns[number];
            let length = big(at);
            at += 4u;
            if length == ABSENT {
                continue;
            }
            atomicOr(&flags[FIRST_FLAG + column.valid + (row >> 5u)], 1u << (row & 31u));
            switch column.kind {
                case BYTES: {
                    let offset = offsets[column.at * (plan.room + 1u) + row];
                    refuse_unless(copy_text(at, offset, length), row);
                }
                case INT2: {
                    values[column.at + row] = bitcast<u32>(bitcast<i32>(big16(at) << 16u) >> 16u);
                }
                case INT4: {
                    values[column.at + row] = big(at);
                }
                case INT8, FLOAT8: {
                    store64(column, row, vec2(big(at + 4u), big(at)));
                }
                case FLOAT4: {
                    store64(column, row, widened(big(at)));
                }
                case BOOL: {
                    let value = load(at, 1u);
                    values[column.at + row] = value;
                    refuse_unless(value <= 1u, row);
                }
                case DATE: {
                    let days = big(at);
                    let is_infinite = days == 0x80000000u || days == 0x7fffffffu;
                    let is_above = bitcast<i32>(days) >= 0x7fffffffi - EPOCH_DAYS;
                    refuse_unless(is_infinite || !is_above, row);
                    values[column.at + row] = select(days + bitcast<u32>(EPOCH_DAYS), days, is_infinite);
                }
                case TIMESTAMP: {
                    let time = vec2(big(at + 4u), big(at));
                    let is_infinite = all(time == vec2(0u, 0x80000000u))
                        || all(time == vec2(0xffffffffu, 0x7fffffffu));
                    let is_above = bitcast<i32>(time.y) > bitcast<i32>(BEYOND.y)
                        || (time.y == BEYOND.y && time.x >= BEYOND.x);
                    refuse_unless(is_infinite || !is_above, row);
                    store64(column, row, select(sum64(time, EPOCH_MICROSECONDS), time, is_infinite));
                }
                default: {}
            }
            at += length;
        }
        refuse_unless(number == arrayLength(&plan.columns), row);
    }
    refuse_unless(row >= rows_placed(), row);
}

// What a column adds for a row that is not NULL: a number as 64 bits, or the sum of its bytes.
fn summand(column: Column, row: u32) -> vec2<u32> {
    switch column.kind {
        case INT2, INT4, BOOL, DATE: {
            let value = values[column.at + row];
            return vec2(value, bitcast<u32>(bitcast<i32>(value) >> 31u));
        }
        case BYTES: {
            let first = column.at * (plan.room + 1u) + row;
            let end = offsets[first + 1u];
            var sum = 0u;
            var at = offsets[first];
            while at < end {
                let skipped = at & 3u;
                let taken = min(4u - skipped, end - at);
                var word = atomicLoad(&text[at >> 2u]) >> (skipped * 8u);
                if taken < 4u {
                    word &= (1u << (taken * 8u)) - 1u;
                }
                let pairs = (word & 0x00ff00ffu) + ((word >> 8u) & 0x00ff00ffu);
                sum += (pairs & 0xffffu) + (pairs >> 16u);
                at += taken;
            }
            refuse_unless(at >= end, row);
            return vec2(sum, 0u);
        }
        default: {
            return vec2(values[column.at + 2u * row], values[column.at + 2u * row + 1u]);
        }
    }
}

@compute @workgroup_size(64)
fn add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let threads = groups.x * 64u;
    var number = 0u;
    for (; number < arrayLength(&plan.columns); number++) {
        let column = plan.columns[number];
        var found = 0u;
        var sum = vec2(0u, 0u);
        var row = id.x;
        for (; row < rows_placed(); row += threads) {
            let word = atomicLoad(&flags[FIRST_FLAG + column.valid + (row >> 5u)]);
            if ((word >> (row & 31u)) & 1u) == 1u {
                found++;
                sum = sum64(sum, summand(column, row));
            }
        }
        refuse_unless(row >= rows_placed(), row);
        let at = (number * threads + id.x) * 3u;
        sums[at] = found;
        sums[at + 1u] = sum.x;
        sums[at + 2u] = sum.y;
    }
    refuse_unless(number == arrayLength(&plan.columns), 0u);
}
