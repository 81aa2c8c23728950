"""Runs the notebook and keeps the outputs of the cells that are tagged as answers: python notebooks/refresh.py"""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("joins.ipynb")


def main():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
            is_answer = "answer" in cell["metadata"].get("tags", [])
            cell["metadata"].pop("execution", None)
            cell["outputs"] = [output for output in cell["outputs"] if is_answer and "data" in output]
            for output in cell["outputs"]:
                output["execution_count"] = None
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
