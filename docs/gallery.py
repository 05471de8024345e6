"""The gallery of families on the front page: an episode of each, by its oracle or else at random.

python docs/gallery.py      writes docs/images/families.png
"""

import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from icrl.plugins import plugin_host

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "extensions"))
from specs import drawn  # noqa: E402

COLUMNS, WIDTH, HEIGHT = 5, 2.4, 1.9
"""Pictures in a row, and inches for each."""


def main() -> None:
    """Draw them all."""
    of_class: dict[str, list[str]] = {}
    for name, provided in plugin_host().families.items():
        of_class.setdefault(provided.spec.entry_point, []).append(name)
    pictures = {name: drawn(name) for name in (min(ids, key=len) for ids in of_class.values())}
    shown = {name: pixels for name, pixels in pictures.items() if pixels is not None}
    rows = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * WIDTH, rows * HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, COLUMNS)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (name, pixels) in zip(grid.flat, shown.items(), strict=False):
        axes.imshow(pixels)
        axes.set_title(name, fontsize=8)
    figure.savefig(DOCS / "images" / "families.png", dpi=110)


if __name__ == "__main__":
    main()
