// The other way of reading a stream: sections anywhere in it, and a search for the first row near each one's start. Takes
// the place of `count` and `place`.

struct Search {
    // Rows that must follow one another for their first to be taken for one.
    confirm: u32,
    // The longest row.
    longest: u32,
}

@group(0) @binding(11) var<storage, read> search: Search;
// For each lane where the bytes end that it may look at, and whether a row is known to begin with it.
@group(0) @binding(12) var<storage, read> reaches: array<vec2<u32>>;

// Where a row ends that begins here, or BAD.
fn found_end(at: u32, reach: u32) -> u32 {
    return row_end(at, at + min(search.longest, reach - at));
}

// Whether as many rows can be read from here as must.
fn is_start(start: u32, reach: u32) -> bool {
    var at = start;
    for (var i = 0u; i < search.confirm; i++) {
        if at == reach {
            return at > start;
        }
        at = found_end(at, reach);
        if at == BAD {
            return false;
        }
    }
    return true;
}

// The first place from here on that is taken for a row's start, or the end.
fn next_start(first: u32, end: u32, reach: u32) -> u32 {
    var at = first;
    while at < end && !is_start(at, reach) {
        at++;
    }
    return at;
}

fn first_start(lane: u32) -> u32 {
    if reaches[lane].y == 1u {
        return lanes[lane].x;
    }
    return next_start(lanes[lane].x, lanes[lane].y, reaches[lane].x);
}

@compute @workgroup_size(64)
fn count_overlapped(@builtin(global_invocation_id) id: vec3<u32>) {
    let lane = id.x;
    if lane >= plan.lanes {
        return;
    }
    clear_lane(lane);
    let end = lanes[lane].y;
    let reach = reaches[lane].x;
    var at = first_start(lane);
    var rows = 0u;
    while at < end {
        let next = found_end(at, reach);
        if next == BAD {
            at = next_start(at + 1u, end, reach);
            continue;
        }
        count_texts(lane, at, next);
        at = next;
        rows++;
    }
    counts[lane] = rows;
    // A device has left a loop before its end.
    if at < end {
        atomicMin(&flags[0], lane);
    }
}

@compute @workgroup_size(64)
fn place_overlapped(@builtin(global_invocation_id) id: vec3<u32>) {
    let lane = id.x;
    if lane >= plan.lanes {
        return;
    }
    let end = lanes[lane].y;
    let reach = reaches[lane].x;
    var at = first_start(lane);
    var row = places[lane];
    while at < end && row < plan.room {
        let next = found_end(at, reach);
        if next == BAD {
            at = next_start(at + 1u, end, reach);
            continue;
        }
        place_row(lane, row, at, next);
        at = next;
        row++;
    }
    end_texts(lane, row);
}
