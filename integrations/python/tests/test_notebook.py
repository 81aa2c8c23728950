"""The notebook runs from top to bottom, and what it answers is what stands in it."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "joins.ipynb"


def texts(cell):
    return [output["data"]["text/plain"] for output in cell["outputs"] if "data" in output]


def test_the_notebook_runs():
    kept = nbformat.read(NOTEBOOK, as_version=4)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    tags = [cell["metadata"].get("tags", []) for cell in kept.cells]
    answers = [number for number, of_cell in enumerate(tags) if "answer" in of_cell]
    assert len(answers) > 5
    for number in answers:
        assert texts(kept.cells[number]), "an answer stands in the notebook"
        assert texts(notebook.cells[number]) == texts(kept.cells[number]), kept.cells[number]["source"]
    (chart,) = (notebook.cells[number] for number, of_cell in enumerate(tags) if "chart" in of_cell)
    assert chart["outputs"][0]["data"]["image/svg+xml"].startswith("<svg")
