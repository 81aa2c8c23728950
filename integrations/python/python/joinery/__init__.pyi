"""Types of ``joinery``. The docstrings stand in the compiled module: ``help(joinery.join)``."""

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import Literal, Protocol, TypeAlias, TypedDict

class _Stream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

class _Array(Protocol):
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

_Arrow: TypeAlias = _Stream | _Array
_How: TypeAlias = Literal[
    "inner", "left", "right", "full", "semi", "anti", "mark", "right_semi", "right_anti", "anti_null_aware"
]
_Size: TypeAlias = Literal["quick", "default", "full"]
_Path: TypeAlias = str | PathLike[str]

__version__: str

class Array:
    """A column of values."""

    @property
    def null_count(self) -> int: ...
    @property
    def type(self) -> str: ...
    def __len__(self) -> int: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...
    def __arrow_c_schema__(self) -> object: ...

class Table:
    """Named columns of equally many rows."""

    @property
    def num_rows(self) -> int: ...
    @property
    def column_names(self) -> list[str]: ...
    @property
    def types(self) -> list[tuple[str, str]]: ...
    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __arrow_c_schema__(self) -> object: ...

class Pairs:
    """Row numbers of both sides, uint32, NULL where there is no row."""

    @property
    def build(self) -> Array: ...
    @property
    def probe(self) -> Array: ...
    @property
    def mark(self) -> Array | None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Array]: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

class Count:
    """Results, and the sums of their row numbers modulo 2**64."""

    @property
    def rows(self) -> int: ...
    @property
    def sum_build(self) -> int: ...
    @property
    def sum_probe(self) -> int: ...

class Explanation(TypedDict):
    """What ``explain`` returns."""

    variant: str
    how: str
    build_rows: int
    probe_rows: int
    rows: int
    threads: int
    seconds: float
    phases: dict[str, float]
    table_bytes: int
    peak_bytes: int
    notes: list[str]

class Workload:
    """Keys that the harness generated, and what their join answers: an array a side, or a table where there are several."""

    @property
    def build(self) -> Array | Table: ...
    @property
    def probe(self) -> Array | Table: ...
    @property
    def build_values(self) -> Table | None: ...
    @property
    def probe_values(self) -> Table | None: ...
    @property
    def condition(self) -> str | None: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def how(self) -> str: ...
    @property
    def rows(self) -> int: ...
    def __iter__(self) -> Iterator[Array | Table]: ...

class Run:
    """What was measured, and on what; an Arrow stream of its samples."""

    @property
    def samples(self) -> Table: ...
    @property
    def summary(self) -> Table: ...
    @property
    def environment(self) -> Table: ...
    @property
    def failures(self) -> Table: ...
    @property
    def notes(self) -> list[str]: ...
    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

class Chart:
    """A chart as SVG, which a notebook shows."""

    @property
    def svg(self) -> str: ...
    @property
    def csv(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def finding(self) -> str: ...
    @property
    def reading(self) -> str: ...
    def save(self, path: _Path) -> None: ...
    def _repr_svg_(self) -> str: ...

def join(
    left: _Arrow,
    right: _Arrow,
    on: str | Sequence[str] | None = None,
    *,
    left_on: str | Sequence[str] | None = None,
    right_on: str | Sequence[str] | None = None,
    how: _How = "inner",
    nulls_equal: bool = False,
    columns: str | Sequence[str] | None = None,
    suffix: str = "_right",
    order: Literal["probe"] | None = None,
    variant: str = "adaptive",
    threads: int | None = None,
    memory: int | str | None = None,
) -> Table: ...
def pairs(
    build: _Arrow,
    probe: _Arrow,
    *,
    how: _How = "inner",
    nulls_equal: bool = False,
    order: Literal["probe"] | None = None,
    variant: str = "adaptive",
    threads: int | None = None,
    memory: int | str | None = None,
) -> Pairs: ...
def count(
    build: _Arrow,
    probe: _Arrow,
    *,
    how: _How = "inner",
    nulls_equal: bool = False,
    variant: str = "adaptive",
    threads: int | None = None,
    memory: int | str | None = None,
) -> Count: ...
def explain(
    build: _Arrow,
    probe: _Arrow,
    *,
    how: _How = "inner",
    nulls_equal: bool = False,
    variant: str = "adaptive",
    threads: int | None = None,
    memory: int | str | None = None,
) -> Explanation: ...
def measure(
    cases: Mapping[str, Workload | tuple[_Arrow, _Arrow]],
    *,
    variants: str | Sequence[str] | None = None,
    toggles: str | Sequence[str] | None = None,
    pairs: bool = False,
    how: _How = "inner",
    threads: int | Sequence[int] | None = None,
    rounds: int = 10,
    seed: int = 1,
    out: _Path | None = None,
    progress: bool = True,
    allow_unoptimised: bool = False,
) -> Run: ...
def read_run(path: _Path) -> Run: ...
def plot(samples: Run | _Path, chart: str = "times") -> Chart: ...
def workload(name_or_toml: str, size: _Size = "quick", seed: int | None = None) -> Workload: ...
def variants() -> Table: ...
def toggles() -> Table: ...
def workloads(size: _Size = "quick") -> Table: ...
