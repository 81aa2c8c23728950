"""In-memory joins over Arrow data: fast, in every kind, and measured.

``join`` joins frames, ``pairs`` and ``count`` join keys; ``explain`` says how that went. ``measure``, ``read_run`` and ``plot``
are the experiments, records and charts of Joinery's own harness; ``workload`` is its data. Frames and columns are anything
with ``__arrow_c_stream__`` or ``__arrow_c_array__``, and so are the results.

There is no spilling: a join that needs more memory than it may take is a ``MemoryError`` that says how much was asked for.
"""

from importlib.metadata import version as _version

from ._joinery import (
    Array,
    Chart,
    Count,
    Pairs,
    Run,
    Table,
    Workload,
    count,
    explain,
    join,
    measure,
    pairs,
    plot,
    read_run,
    toggles,
    variants,
    workload,
    workloads,
)

__version__ = _version("joinery")

__all__ = [
    "Array",
    "Chart",
    "Count",
    "Pairs",
    "Run",
    "Table",
    "Workload",
    "count",
    "explain",
    "join",
    "measure",
    "pairs",
    "plot",
    "read_run",
    "toggles",
    "variants",
    "workload",
    "workloads",
]
