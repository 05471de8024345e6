"""The runs behind CaDM's tables: those on this machine, and those that the committed result
records, so that no machine has to hold all of them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cadm_cells import OF_A_MODEL, OF_EACH_RUN, apart, key_of

from icrl.files import read_json

Run = Mapping[str, Any]


def recorded(path: Path) -> list[dict[str, Any]]:
    """The runs of a result's cells; none where there is no result yet."""
    if not path.exists():
        return []
    return [
        run for cell in read_json(path)["cells"] if cell["status"] == "run" for run in _runs(cell)
    ]


def together(before: Sequence[Run], now: Sequence[Run]) -> list[Run]:
    """Both, but for what was run again; the paper's settings first, and then by seed."""
    runs = {_identity(run): run for run in (*before, *now)}
    return sorted(runs.values(), key=lambda run: (len(apart(run)), _identity(run)))


def _identity(run: Run) -> tuple[str, str, str, int]:
    asked = run["asked"]
    return asked["family"], asked["agent"], key_of(apart(run)), asked["seed"]


def _runs(cell: Run) -> list[dict[str, Any]]:
    """What a cell was made of, but for settings in which its seeds differ."""
    own = {k: value for k, value in cell["overrides"].items() if not k.startswith(OF_A_MODEL)}
    models = cell.get("models", [None] * len(cell["seeds"]))
    return [
        {
            "asked": {
                "family": cell["family"],
                "agent": cell["agent"],
                "seed": seed,
                "overrides": own,
            },
            "settings": cell["settings"],
            "steps": cell["steps"],
            "returns": {split: values[index] for split, values in cell["returns"].items()},
            "episodes": cell["episodes"],
            **({"model": models[index]} if models[index] else {}),
            **{key: cell[key][index] for key in OF_EACH_RUN},
        }
        for index, seed in enumerate(cell["seeds"])
    ]
