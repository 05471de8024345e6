"""The runs behind CaDM's tables: those on this machine, and those that the committed result
records, so that no machine has to hold all of them.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cadm_cells import apart

from icrl.files import read_json

OF_EACH_RUN = ("training_seconds", "evaluation_seconds", "interruptions", "hardware")
OF_A_MODEL = "dynamics."
"""Begins what sets apart the model whose context a run takes; that is told beside it."""
Found = Mapping[str, Any]


def recorded(path: Path) -> list[dict[str, Any]]:
    """The runs of a result's cells; none where there is no result yet."""
    if not path.exists():
        return []
    return [
        run for cell in read_json(path)["cells"] if cell["status"] == "run" for run in _runs(cell)
    ]


def together(before: Sequence[Found], now: Sequence[Found]) -> list[Found]:
    """Both, but for what was run again; the paper's settings first, and then by seed."""
    runs = {_identity(run): run for run in (*before, *now)}
    return sorted(runs.values(), key=lambda run: (len(apart(run)), _identity(run)))


def _identity(run: Found) -> tuple[str, str, str, int]:
    asked = run["asked"]
    key = json.dumps(apart(run), sort_keys=True)
    return asked["family"], asked["agent"], key, asked["seed"]


def _runs(cell: Found) -> list[dict[str, Any]]:
    """What a cell was made of, but for settings in which its seeds differ."""
    own = {
        key: value for key, value in cell["overrides"].items() if not key.startswith("dynamics.")
    }
    models = [{"model": model} for model in cell.get("models", [])] or [{}] * len(cell["seeds"])
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
            **models[index],
            **{key: cell[key][index] for key in OF_EACH_RUN},
        }
        for index, seed in enumerate(cell["seeds"])
    ]
