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
    "float32": (pa.float32(), st.sampled_from([0.0, -0.0, 1.5, -1.5, float("inf"), float("nan")])),
    "float64": (pa.float64(), st.sampled_from([0.0, -0.0, 1.5, -1.5, float("inf"), float("nan")])),
    "date": (pa.date32(), st.sampled_from([datetime.date(1969, 12, 31), datetime.date(2026, 1, 1)])),
    "date_of_64_bits": (pa.date64(), st.sampled_from([datetime.date(1969, 12, 31), datetime.date(2026, 1, 1)])),
    "timestamp": (pa.timestamp("us"), st.sampled_from([datetime.datetime(1969, 12, 31), datetime.datetime(2026, 1, 1)])),
    "timestamp_of_a_zone": (pa.timestamp("ns", "UTC"), st.sampled_from([datetime.datetime(2026, 1, day) for day in (1, 2)])),
    "duration": (pa.duration("us"), st.sampled_from([datetime.timedelta(-1), datetime.timedelta(1)])),
    "time": (pa.time64("us"), st.sampled_from([datetime.time(0), datetime.time(23, 59)])),
    "time_of_32_bits": (pa.time32("s"), st.sampled_from([datetime.time(0), datetime.time(23, 59)])),
    "string": (pa.string(), st.sampled_from(["", "a", "ab", "ä", "a string of more than twelve bytes", "a\0"])),
    "large_string": (pa.large_string(), st.sampled_from(["", "a", "a string of more than twelve bytes"])),
    "string_view": (pa.string_view(), st.sampled_from(["", "a", "a string of more than twelve bytes", "a string of more than twelve"])),
    "binary": (pa.binary(), st.sampled_from([b"", b"a", b"\xff\x00"])),
    "large_binary": (pa.large_binary(), st.sampled_from([b"", b"a", b"\xff\x00"])),
    "binary_view": (pa.binary_view(), st.sampled_from([b"", b"a", b"\xff more than twelve bytes"])),
    "bytes_of_3": (pa.binary(3), st.sampled_from([b"abc", b"ab\0"])),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["", "a", "a string of more than twelve bytes"])),
    "decimal": (pa.decimal128(20, 2), st.sampled_from([decimal.Decimal("0.01"), decimal.Decimal("-12345678901234567.89")])),
}

# Those that other engines do not all read.
OTHER_KEYS = {
    "decimal32": (pa.decimal32(7, 2), st.sampled_from([decimal.Decimal("0.01"), decimal.Decimal("-12345.67")])),
    "decimal64": (pa.decimal64(15, 2), st.sampled_from([decimal.Decimal("0.01"), decimal.Decimal("-1234567890123.67")])),
    "decimal256": (pa.decimal256(60, 2), st.sampled_from([decimal.Decimal("0.01"), decimal.Decimal("-" + "9" * 50 + ".67")])),
    "dictionary_of_numbers": (pa.dictionary(pa.uint16(), pa.int64()), st.sampled_from([-1, 0, 2**62])),
    "dictionary_of_bytes": (pa.dictionary(pa.int64(), pa.binary()), st.sampled_from([b"", b"a", b"\xff\x00"])),
}

PAYLOADS = {
    **KEYS,
    **OTHER_KEYS,
    "float16": (pa.float16(), st.sampled_from([0.0, 1.5])),
    "interval": (pa.month_day_nano_interval(), st.sampled_from([(1, 2, 3), (-1, 0, 2**40)])),
    "struct": (pa.struct([("x", pa.int32()), ("y", pa.string())]), st.sampled_from([{"x": 1, "y": "a"}, {"x": None, "y": None}])),
    "list": (pa.list_(pa.int16()), st.lists(st.sampled_from([1, None, 3]), max_size=3)),
    "list_of_strings": (pa.large_list(pa.string()), st.lists(st.sampled_from(["", None, "abc"]), max_size=3)),
    "list_of_views": (pa.list_(pa.string_view()), st.lists(st.sampled_from(["", None, "more than twelve bytes"]), max_size=3)),
    "list_of_3": (pa.list_(pa.bool_(), 3), st.lists(st.sampled_from([True, None]), min_size=3, max_size=3)),
    "map": (pa.map_(pa.string(), pa.float32()), st.lists(st.sampled_from([("a", 0.5), ("b", None)]), max_size=2)),
    "struct_of_lists": (
        pa.struct([("x", pa.list_(pa.dictionary(pa.int8(), pa.string())))]),
        st.sampled_from([{"x": ["a", None, "b"]}, {"x": None}, {"x": []}]),
    ),
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
def two_frames(draw, keys=1, kinds=KEYS):
    """A left and a right frame with key columns of the same types, and payloads of any."""
    names = [f"k{number}" for number in range(keys)]
    types = [(KEYS | OTHER_KEYS)[draw(st.sampled_from(sorted(kinds)))] for _ in names]
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
