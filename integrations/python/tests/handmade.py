"""Arrays of the Arrow C interface made by hand, so that they can be wrong in every way."""

import ctypes
import struct

POINTER, INTEGER, TEXT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p


class Schema(ctypes.Structure):
    _fields_ = [
        ("format", TEXT),
        ("name", TEXT),
        ("metadata", TEXT),
        ("flags", INTEGER),
        ("n_children", INTEGER),
        ("children", POINTER),
        ("dictionary", POINTER),
        ("release", POINTER),
        ("private_data", POINTER),
    ]


class Array(ctypes.Structure):
    _fields_ = [
        ("length", INTEGER),
        ("null_count", INTEGER),
        ("offset", INTEGER),
        ("n_buffers", INTEGER),
        ("n_children", INTEGER),
        ("buffers", POINTER),
        ("children", POINTER),
        ("dictionary", POINTER),
        ("release", POINTER),
        ("private_data", POINTER),
    ]


# Whatever a structure points to stays as long as the process: nothing here is large.
KEPT = []


def kept(what):
    KEPT.append(what)
    return what


def released_by(structure):
    def release(pointer):
        pointer.contents.release = None

    return ctypes.cast(kept(ctypes.CFUNCTYPE(None, ctypes.POINTER(structure))(release)), POINTER)


RELEASE = {structure: released_by(structure) for structure in (Schema, Array)}
NULLABLE = 2


def address(what):
    """Where a structure or some bytes lie; an address is one already, and None is null."""
    if what is None or isinstance(what, int):
        return what
    if isinstance(what, bytes):
        what = ctypes.create_string_buffer(what, len(what) + 64)
    return ctypes.addressof(kept(what))


def addresses(many):
    return address((POINTER * len(many))(*map(address, many))) if many else None


def schema(format, name="c", children=(), dictionary=None, **fields):
    text = lambda text: text.encode() if isinstance(text, str) else text
    made = Schema(text(format), text(name), None, NULLABLE, len(children), addresses(children), address(dictionary), RELEASE[Schema])
    for field, value in fields.items():
        setattr(made, field, value)
    return kept(made)


def array(length, buffers, children=(), dictionary=None, **fields):
    made = Array(length, 0, 0, len(buffers), len(children), addresses(buffers), addresses(children), address(dictionary), RELEASE[Array])
    for field, value in fields.items():
        setattr(made, field, value)
    return kept(made)


def capsule(structure, name):
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [POINTER, TEXT, POINTER]
    return new(ctypes.addressof(structure), kept(name), None)


class Given:
    """Hands them over, once."""

    def __init__(self, schema, array):
        self.schema, self.array = schema, array

    def __arrow_c_array__(self, requested_schema=None):
        return capsule(self.schema, b"arrow_schema"), capsule(self.array, b"arrow_array")


def int32s(*numbers):
    return struct.pack(f"={len(numbers)}i", *numbers)


def int64s(*numbers):
    return struct.pack(f"={len(numbers)}q", *numbers)


def numbers(name, *values):
    """A column of integers."""
    return schema("l", name), array(len(values), [None, int64s(*values)])


def frame(*columns, **fields):
    """A frame of columns, each a schema and an array."""
    schemas, arrays = zip(*columns)
    return Given(schema("+s", "", schemas), array(arrays[0].length, [None], arrays, **fields))
