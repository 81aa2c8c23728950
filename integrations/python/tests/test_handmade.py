"""What breaks the Arrow C interface is refused in a sentence that names the column, and what only looks odd is read."""

import struct

import pyarrow as pa
import pytest
from handmade import Given, array, frame, int32s, int64s, numbers, schema

import joinery

OTHER = pa.table({"k": [1, 2, 3], "r": [1.5, 2.5, 3.5]})
KEYS = ("k", 1, 2, 3)


def of(format, buffers, *, rows=3, **arrays):
    """A column `bad`."""
    types = {name: arrays.pop(name) for name in ("types", "values") if name in arrays}
    return schema(format, "bad", types.get("types", ()), types.get("values")), array(rows, buffers, **arrays)


def an_int64():
    return schema("l", "i")


def three():
    return array(3, [None, int64s(1, 2, 3)])


def words(*words):
    ends = [sum(map(len, words[:end])) for end in range(len(words) + 1)]
    return int32s(*ends), b"".join(words)


def views(size, buffer, place):
    return struct.pack("=i4sii", size, b"zzzz", buffer, place) * 3


BAD = {
    "no type": lambda: of(None, [None, int64s(1, 2, 3)]),
    "an unknown type": lambda: of("zz", [None, int64s(1, 2, 3)]),
    "a type that is no UTF-8": lambda: of(b"\xff", [None, int64s(1, 2, 3)]),
    "a zone that is no UTF-8": lambda: of(b"tsu:\xff", [None, int64s(1, 2, 3)]),
    "a negative width": lambda: of("w:-1", [None, b"abc"]),
    "lists of a negative width": lambda: of("+w:-1", [None], types=[an_int64()], children=[three()]),
    "lists of nothing": lambda: of("+l", [None, int32s(0, 1, 2, 3)]),
    "lists without offsets": lambda: of("+l", [None, None], types=[an_int64()], children=[three()]),
    "lists beyond their values": lambda: of("+l", [None, int32s(0, 1, 2, 9)], types=[an_int64()], children=[three()]),
    "lists of too few values": lambda: of("+w:2", [None], types=[an_int64()], children=[three()]),
    "list views beyond their values": lambda: of("+vl", [None, int32s(0, 9, -2), int32s(1, 1, 1)], types=[an_int64()], children=[three()]),
    "a map of numbers": lambda: of("+m", [None, int32s(0, 1, 2, 3)], types=[an_int64()], children=[three()]),
    "a child that is null": lambda: of("+l", [None, int32s(0, 1, 2, 3)], types=[an_int64()], children=[None]),
    "a type of a child that is null": lambda: of("+l", [None, int32s(0, 1, 2, 3)], types=[None], children=[three()]),
    "children at null": lambda: of("+l", [None, int32s(0, 1, 2, 3)], types=[an_int64()], n_children=1),
    "too many children": lambda: of("l", [None, int64s(1, 2, 3)], children=[three()]),
    "children below zero": lambda: of("l", [None, int64s(1, 2, 3)], n_children=-1),
    "buffers at null": lambda: of("l", [], n_buffers=2),
    "no values": lambda: of("l", [None, None]),
    "no bits": lambda: of("b", [None, None]),
    "no offsets": lambda: of("u", [None, None, b"abc"]),
    "no bytes": lambda: of("u", [None, int32s(0, 1, 2, 3), None]),
    "a negative end": lambda: of("u", [None, int32s(0, 1, 2, -3), b"abc"]),
    "a negative end of 64 bits": lambda: of("U", [None, int64s(0, 1, 2, -3), b"abc"]),
    "a negative start": lambda: of("u", [None, int32s(-1, 1, 2, 3), b"abc"]),
    "offsets that go back": lambda: of("u", [None, int32s(0, 3, 1, 3), b"abc"]),
    "rows below zero": lambda: of("l", [None, int64s(1, 2, 3)], rows=-1),
    "an offset below zero": lambda: of("l", [None, int64s(1, 2, 3)], offset=-1),
    "more bytes than there are": lambda: of("w:2147483647", [None, b"abc"], rows=2**47),
    "more NULLs than rows": lambda: of("l", [b"\5", int64s(1, 2, 3)], null_count=9),
    "fewer rows than the frame": lambda: of("l", [None, int64s(1, 2)], rows=2),
    "no dictionary": lambda: of("i", [None, int32s(0, 1, 1)], values=schema("u")),
    "a dictionary of plain values": lambda: of("i", [None, int32s(0, 1, 1)], dictionary=array(2, [None, *words(b"x", b"y")])),
    "a dictionary key beyond": lambda: of("i", [None, int32s(0, 9, 1)], values=schema("u"), dictionary=array(2, [None, *words(b"x", b"y")])),
    "a dictionary key below zero": lambda: of("i", [None, int32s(0, -1, 1)], values=schema("u"), dictionary=array(2, [None, *words(b"x", b"y")])),
    "dictionary keys that are fractions": lambda: of("g", [None, int64s(0, 1, 1)], values=schema("u"), dictionary=array(2, [None, *words(b"x", b"y")])),
    "a view of a negative length": lambda: of("vu", [None, views(-3, 0, 0), int64s()]),
    "a view beyond its buffer": lambda: of("vu", [None, views(20, 0, 90), b"z" * 30, int64s(30)]),
    "a view below its buffer": lambda: of("vu", [None, views(20, 0, -1), b"z" * 30, int64s(30)]),
    "a view of another buffer": lambda: of("vu", [None, views(20, 7, 0), b"z" * 30, int64s(30)]),
    "a view of a buffer at null": lambda: of("vu", [None, views(20, 0, 0), None, int64s(30)]),
    "views without lengths": lambda: of("vu", [None, views(20, 0, 0), b"z" * 30, None]),
    "a buffer of views of a negative length": lambda: of("vu", [None, views(20, 0, 0), b"z" * 30, int64s(-30)]),
}


@pytest.mark.parametrize("bad", BAD)
def test_the_column_is_named(bad, capfd):
    with pytest.raises((ValueError, TypeError)) as refused:
        joinery.join(frame(numbers(*KEYS), BAD[bad]()), OTHER, on="k")
    message = str(refused.value)
    assert '"bad"' in message and "left" in message
    assert "joinery failed" not in message and "\n" not in message
    assert capfd.readouterr().err == "", "nothing has panicked"


def test_names_are_utf_8(capfd):
    column = schema("l", b"\xff\xfe"), array(3, [None, int64s(1, 2, 3)])
    with pytest.raises(ValueError, match="left: column number 1: its name .* is no UTF-8"):
        joinery.join(frame(numbers(*KEYS), column), OTHER, on="k")
    assert capfd.readouterr().err == ""


def test_types_end(capfd):
    loop = schema("+s", "loop", [an_int64()])
    loop.children = schema("+s", "", [loop]).children
    with pytest.raises(ValueError, match="nested"):
        joinery.join(frame(numbers(*KEYS), (loop, three())), OTHER, on="k")
    for children in (-1, 2**40):
        with pytest.raises(ValueError, match="fields"):
            joinery.join(frame(numbers(*KEYS), (schema("l", "bad", n_children=children), three())), OTHER, on="k")
    assert capfd.readouterr().err == ""


ODD = {
    "no name": (lambda: (schema("l", None), three()), [1, 2, 3]),
    "no bytes of empty texts": (lambda: of("u", [None, int32s(0, 0, 0, 0), None]), ["", "", ""]),
    "texts of no bytes": (lambda: of("w:0", [None, b""]), [b"", b"", b""]),
    "a count of NULLs that is not known": (lambda: of("l", [b"\5", int64s(1, 2, 3)], null_count=-1), [1, None, 3]),
    "a dictionary key of a NULL that points anywhere": (
        lambda: of("i", [b"\5", int32s(0, 99, 1)], null_count=1, values=schema("u"), dictionary=array(2, [None, *words(b"x", b"y")])),
        ["x", None, "y"],
    ),
    "a dictionary with a NULL": (
        lambda: of("i", [None, int32s(0, 1, 1)], values=schema("u"), dictionary=array(2, [b"\1", *words(b"x", b"y")], null_count=1)),
        ["x", None, None],
    ),
    "more rows than the frame": (lambda: of("l", [None, int64s(1, 2, 3, 4)], rows=4), [1, 2, 3]),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_looks_odd_is_read(odd):
    column, expected = ODD[odd]
    table = pa.table(joinery.join(frame(numbers(*KEYS), column()), OTHER, on="k", order="probe"))
    assert table.column(1).to_pylist() == expected


def test_no_rows_need_no_buffers():
    texts = schema("u", "k")
    nothing = lambda: Given(schema("+s", "", [texts, schema("u")]), array(0, [None], [array(0, [None] * 3), array(0, [None] * 3)]))
    right = pa.table({"k": ["a"]})
    assert len(joinery.join(nothing(), right, on="k")) == 0
    assert pa.table(joinery.join(nothing(), right, on="k", how="right")).to_pylist() == [{"c": None, "k": "a"}]


def test_columns_of_one_name_are_not_mixed_up():
    twice = lambda: frame(numbers(*KEYS), numbers("b", 4, 5, 6), numbers("b", 7, 8, 9))
    with pytest.raises(ValueError, match='two columns "b"'):
        joinery.join(twice(), OTHER, on="k")
    with pytest.raises(ValueError, match='several columns "b"'):
        joinery.join(twice(), OTHER, on="k", columns=["k", "b"])
    with pytest.raises(ValueError, match='left has several columns "b"'):
        joinery.join(twice(), OTHER, left_on="b", right_on="k")
    assert joinery.join(twice(), OTHER, on="k", columns=["k", "r"]).column_names == ["k", "r"]
