"""Random frames, and what their joins answer by other engines."""

import datetime
import decimal

import pyarrow as pa
from hypothesis import strategies as st

# Few values, so that keys meet; edges, so that bits matter.
KEYS = {
    "int8": (pa.int8(), st.sampled_from([-128, -1, 0, 1, 127])),
    "int16": (pa.int16(), st.sampled_from([-(2**15), -1, 0, 1, 2**15 - 1])),
    "int32": (pa.int32(), st.sampled_from([-(2**31), -1, 0, 1, 2, 3, 2**31 - 1])),
    "int64": (pa.int64(), st.sampled_from([-(2**63), -1, 0, 1, 2, 3, 2**63 - 1])),
    "uint8": (pa.uint8(), st.sampled_from([0, 1, 2, 255])),
    "uint16": (pa.uint16(), st.sampled_from([0, 1, 2, 2**16 - 1])),
    "uint32": (pa.uint32(), st.sampled_from([0, 1, 2**31, 2**32 - 1])),
    "uint64": (pa.uint64(), st.sampled_from([0, 1, 2**63, 2**64 - 1])),
    "bool": (pa.bool_(), st.booleans()),
    "float64": (pa.float64(), st.sampled_from([0.0, -0.0, 1.5, -1.5, float("inf")])),
    "date": (pa.date32(), st.sampled_from([datetime.date(1969, 12, 31), datetime.date(2026, 1, 1)])),
    "timestamp": (pa.timestamp("us"), st.sampled_from([datetime.datetime(1969, 12, 31), datetime.datetime(2026, 1, 1)])),
    "duration": (pa.duration("us"), st.sampled_from([datetime.timedelta(-1), datetime.timedelta(1)])),
    "time": (pa.time64("us"), st.sampled_from([datetime.time(0), datetime.time(23, 59)])),
    "string": (pa.string(), st.sampled_from(["", "a", "ab", "ä", "a string of more than twelve bytes", "a\0"])),
    "large_string": (pa.large_string(), st.sampled_from(["", "a", "a string of more than twelve bytes"])),
    "string_view": (pa.string_view(), st.sampled_from(["", "a", "a string of more than twelve bytes", "a string of more than twelve"])),
    "binary": (pa.binary(), st.sampled_from([b"", b"a", b"\xff\x00"])),
    "decimal": (pa.decimal128(20, 2), st.sampled_from([decimal.Decimal("0.01"), decimal.Decimal("-12345678901234567.89")])),
}

PAYLOADS = {
    **KEYS,
    "struct": (pa.struct([("x", pa.int32()), ("y", pa.string())]), st.sampled_from([{"x": 1, "y": "a"}, {"x": None, "y": None}])),
    "list": (pa.list_(pa.int16()), st.lists(st.sampled_from([1, None, 3]), max_size=3)),
    "list_of_strings": (pa.large_list(pa.string()), st.lists(st.sampled_from(["", None, "abc"]), max_size=3)),
    "null": (pa.null(), st.none()),
}


def chunked(draw, values, of_type):
    """The values as an array in chunks, each a slice of a longer one, so that offsets and bit offsets are not 0."""
    cuts = sorted(draw(st.lists(st.integers(0, len(values)), max_size=3)))
    ends = [0, *cuts, len(values)]
    chunks = []
    for start, end in zip(ends, ends[1:]):
        before = draw(st.integers(0, 9))
        padding = values[:1] * before if values else []
        chunks.append(pa.array(padding + values[start:end] + padding, of_type)[len(padding) : len(padding) + end - start])
    return pa.chunked_array(chunks, of_type)


@st.composite
def columns(draw, names, rows, types=KEYS):
    """Columns of these names, of random types, with NULLs."""
    made = {}
    for name in names:
        of_type, values = types[draw(st.sampled_from(sorted(types)))]
        made[name] = (of_type, draw(st.lists(st.one_of(values, st.none()), min_size=rows, max_size=rows)))
    return made


@st.composite
def two_frames(draw, keys=1, kinds=None):
    """A left and a right frame with key columns of the same types, and payloads of any."""
    names = [f"k{number}" for number in range(keys)]
    types = [KEYS[draw(st.sampled_from(sorted(kinds or KEYS)))] for _ in names]
    frames = []
    for payload in ("a", "b"):
        rows = draw(st.integers(0, 12))
        table = {}
        for name, (of_type, values) in zip(names, types):
            column = draw(st.lists(st.one_of(values, st.none()), min_size=rows, max_size=rows))
            table[name] = chunked(draw, column, of_type)
        for name, (of_type, values) in draw(columns([payload, "both"], rows, PAYLOADS)).items():
            table[name] = chunked(draw, values, of_type)
        table[f"row_{payload}"] = pa.chunked_array([pa.array(range(rows), pa.int64())])
        frames.append(pa.table(table))
    return names, *frames
