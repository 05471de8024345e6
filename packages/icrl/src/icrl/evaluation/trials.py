"""Recorded episodes: some episodes of some trials, kept step by step so that they can be drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from torch import Tensor

from icrl.errors import DamagedFileError
from icrl.families import Episode
from icrl.files import read_tensors, write_tensors
from icrl.interaction import Transition
from icrl.spaces import leaf_spaces
from icrl.trees import Tree, leaves, map_tree

PURPOSE = "recorded episodes"


@dataclass(frozen=True)
class RecordedEpisode:
    """One episode of one trial."""

    trial: int
    """The row of the evaluation."""
    episode: int
    """Which of the trial's episodes, from 0."""
    columns: dict[str, Tensor]
    """`observation`, `action` (with `/PATH` for each leaf of a tree) and `reward`; see
    `icrl.families.Episode`.
    """

    def unpacked(self, observation_space: Space, action_space: Space) -> Episode:
        """The episode as trees in the form of the spaces.

        Raises:
            KeyError: if the spaces are not those of the recording.
        """
        return Episode(
            observation=_tree(self.columns, "observation", observation_space),
            action=_tree(self.columns, "action", action_space),
            reward=self.columns["reward"],
        )


def shown_episodes(num_episodes: int, count: int = 6) -> list[int]:
    """Which episodes of a trial are worth a picture: the first, the last, and some between, denser
    early.
    """
    steps = np.geomspace(1, num_episodes, min(count, num_episodes))
    return sorted({round(step) - 1 for step in steps})


class TrialRecorder:
    """Keeps chosen episodes of chosen rows while they are played.

    Steps wait on the device until `collect`, so that recording never stops it.
    """

    def __init__(self, rows: Sequence[int], episodes: Iterable[int], device: torch.device) -> None:
        self.rows = list(rows)
        self.episodes = set(episodes)
        self.recorded: list[RecordedEpisode] = []
        self._index = torch.tensor(self.rows, device=device)
        self._waiting: list[tuple[dict[str, Tensor], Tensor]] = []
        self._number = [0] * len(self.rows)
        self._open: list[list[dict[str, Tensor]]] = [[] for _ in self.rows]

    def step(self, transition: Transition) -> None:
        """Note one step of the rows."""
        columns = {"reward": transition.reward}
        trees = {
            "opening": transition.timestep.observation,
            "observation": transition.following.outcome,
            "action": transition.action,
        }
        for name, tree in trees.items():
            columns |= {_column(name, path): leaf for path, leaf in leaves(tree)}
        picked = {name: column.index_select(0, self._index) for name, column in columns.items()}
        self._waiting.append((picked, transition.ended.index_select(0, self._index)))

    def collect(self) -> None:
        """Sort the waiting steps into episodes."""
        for columns, ended in self._waiting:
            on_host = {name: column.cpu() for name, column in columns.items()}
            for place, over in enumerate(ended.tolist()):
                if self._number[place] in self.episodes:
                    self._open[place].append({k: column[place] for k, column in on_host.items()})
                if over:
                    self._close(place)
        self._waiting.clear()

    def _close(self, place: int) -> None:
        steps, number = self._open[place], self._number[place]
        if steps:
            columns = {
                name: torch.stack([step[name] for step in steps])
                for name in steps[0]
                if not name.startswith("opening")
            }
            for name, opening in steps[0].items():
                if name.startswith("opening"):
                    seen = name.replace("opening", "observation", 1)
                    columns[seen] = torch.cat([opening[None], columns[seen]])
            self.recorded.append(RecordedEpisode(self.rows[place], number, columns))
        self._open[place] = []
        self._number[place] += 1


def write_recorded(path: Path, recorded: Iterable[RecordedEpisode]) -> None:
    """Write recorded episodes as one safetensors file, whole or not at all."""
    tensors = {
        f"{one.trial}/{one.episode}/{name}": column
        for one in recorded
        for name, column in one.columns.items()
    }
    write_tensors(path, tensors, {"purpose": PURPOSE})


def read_recorded(path: Path) -> tuple[RecordedEpisode, ...]:
    """Read what `write_recorded` wrote.

    Raises:
        DamagedFileError: naming the file.
    """
    tensors, metadata = read_tensors(path, required_metadata=("purpose",))
    if metadata["purpose"] != PURPOSE:
        raise DamagedFileError(f"{path} holds {metadata['purpose']}, expected {PURPOSE}.")
    found: dict[tuple[int, int], dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        trial, _, rest = name.partition("/")
        episode, _, column = rest.partition("/")
        if not (trial.isdecimal() and episode.isdecimal() and column):
            raise DamagedFileError(f"{path} has a column {name!r}, which no recording has.")
        found.setdefault((int(trial), int(episode)), {})[column] = tensor
    return tuple(RecordedEpisode(*key, columns) for key, columns in sorted(found.items()))


def _column(name: str, path: str) -> str:
    return f"{name}/{path}" if path else name


def _tree(columns: dict[str, Tensor], name: str, space: Space) -> Tree:
    tree: Any = leaf_spaces(space)
    paths = iter([_column(name, path) for path, _ in leaves(tree)])
    return map_tree(lambda _: columns[next(paths)], tree)
