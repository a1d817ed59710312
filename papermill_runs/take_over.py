"""Copy executed notebooks into ``notebooks/`` without anything that tells of the machine that ran
them."""

import base64
import io
import sys
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

from bonmf_lib.storage import write_text

WIDGET = "application/vnd.jupyter.widget-view+json"  # tells nothing without the kernel it was in
LARGEST = 1_500_000  # bytes a committed notebook may have
SEEN = 24  # of 255, from which on a change of one colour channel is seen
_FOLDED = {"jupyter": {"source_hidden": True}}  # JupyterLab then shows a cell's output alone


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop injected parameters, papermill's metadata and timings, and widgets, beside which their
    outputs hold what code hosts show; renumber the cells; shrink the figures. Folded cells stay
    folded."""
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    cells = [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    count = 0
    for cell in cells:
        tags = [tag for tag in cell.metadata.get("tags", []) if not tag.startswith("papermill")]
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        cell.metadata = ({"tags": tags} if tags else {}) | (_FOLDED if folded else {})
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = count
                output.get("data", {}).pop(WIDGET, None)
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = with_few_colours(output.data["image/png"])
    notebook.cells = cells
    return notebook


def with_few_colours(png: str) -> str:
    """A picture as base64 with the fewest of 32, 64 and 128 colours with which fewer than one pixel
    of a thousand looks different: a quarter, or a third, of the size."""
    with Image.open(io.BytesIO(base64.b64decode(png)), formats=["PNG"]) as opened:
        picture = opened.convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    drawn = Image.alpha_composite(paper, picture).convert("RGB")
    for colours in (32, 64, 128):
        chosen = drawn.quantize(colours, kmeans=2, dither=Image.Dither.NONE)
        changed = np.abs(np.asarray(drawn, int) - np.asarray(chosen.convert("RGB"), int))
        if (changed.max(axis=2) > SEEN).mean() < 1e-3:
            break
    out = io.BytesIO()
    chosen.save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def main(source: Path, target: Path) -> None:
    for path in sorted(source.glob("[0-9]*.ipynb")):
        text = nbformat.writes(clean(nbformat.read(path, as_version=4))) + "\n"
        if len(text) > LARGEST:
            sys.exit(
                f"{path.name} has {len(text):,} bytes, more than {LARGEST:,}; "
                "show fewer or smaller figures."
            )
        write_text(target / path.name, text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
