"""Windows: consecutive steps of learning histories, sampled as one batch on the device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from icrl.histories.columns import Layout
from icrl.histories.episodes import KeptEpisodes
from icrl.histories.rows import Rows
from icrl.timestep import TimeStep
from icrl.trees import Tree, map_tree, where


@dataclass(frozen=True)
class Windows:
    """A batch of windows: what a policy would have seen at each step, and what the learner then
    did.
    """

    timesteps: TimeStep
    """[batch, time]: what stood before each decision."""
    action: Tree
    """[batch, time, *action]: the decision, the target of imitation."""
    mask: Tensor
    """[batch, time] bool: false where a history shorter than the window has ended; the last step
    repeats there.
    """
    stream: Tensor
    """[batch] int64: the stream that each window comes from."""
    columns: Mapping[str, Tensor]
    """[batch, time, ...]: the columns asked for, of the row that follows each timestep."""


@dataclass(frozen=True)
class WindowRows:
    """The rows behind windows: each tensor has the row *before* the window first, [batch, 1 + time,
    ...].
    """

    observation: Tree
    action: Tree
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    outcome: Tree
    """The last observation of each row's episode; any value where the episode did not end with the
    row.
    """
    history_start: Tensor
    """[batch, time] bool: whether a row of the window opens its history, so that nothing stands
    before it.
    """


def timesteps(rows: WindowRows) -> TimeStep:
    """The timesteps [batch, time] before each row of windows.

    A row pairs an observation with the action that followed it; a timestep pairs it with the action
    that led to it, which is the row before. At a history's start no action led here: all is zero,
    as `TimeStep.first` has it.
    """

    def before(tensor: Tensor) -> Tensor:
        shape = rows.history_start.shape + (1,) * (tensor.ndim - 2)
        return tensor[:, :-1].masked_fill(rows.history_start.view(shape), 0)

    observation = map_tree(lambda tensor: tensor[:, 1:], rows.observation)
    terminated, truncated = before(rows.terminated), before(rows.truncated)
    ended = terminated | truncated
    return TimeStep(
        observation=observation,
        action=map_tree(before, rows.action),
        reward=before(rows.reward),
        outcome=where(ended, map_tree(lambda tensor: tensor[:, :-1], rows.outcome), observation),
        terminated=terminated,
        episode_start=ended | rows.history_start,
    )


class WindowSampler:
    """Samples windows of one store, prepared once for one way of sampling.

    Every stream is equally likely, and of a stream every phase of `every`. Within the part asked
    for of the kept history that this chooses, every place where a whole window fits is equally
    likely; a part shorter than the window is taken whole, and the mask says where it ends.
    """

    def __init__(
        self,
        layout: Layout,
        rows: Rows,
        kept: KeptEpisodes,
        *,
        part: tuple[float, float],
        from_start: float,
        columns: Sequence[str],
        device: torch.device,
    ) -> None:
        self._layout = layout
        self._rows = rows
        self._kept = kept.to(device)
        self._part = part
        self._from_start = from_start
        self._columns = {name: layout.named(name) for name in columns}
        self._device = device

    def windows(self, num_windows: int, length: int, *, generator: torch.Generator) -> Windows:
        """Sample windows [num_windows, length]; equal generator states give equal windows."""
        stream, history, first, end = self._places(num_windows, length, generator)
        kept = self._kept
        place = first.unsqueeze(1) + torch.arange(-1, length, device=self._device)
        inside = place.clamp(min=0).minimum(end.unsqueeze(1) - 1)  # [batch, 1 + time]
        kept_row = kept.history_begin[history].unsqueeze(1) + inside
        episode = torch.searchsorted(kept.begin, kept_row, right=True) - 1
        row = kept.start[episode] + kept_row - kept.begin[episode]
        found = self._rows.gather(row, kept.outcome[episode])

        def tree(columns: Tree) -> Tree:
            return map_tree(lambda column: found[column.name], columns)

        action = tree(self._layout.action)
        rows = WindowRows(
            observation=tree(self._layout.observation),
            action=action,
            reward=found["reward"],
            terminated=found["terminated"],
            truncated=found["truncated"],
            outcome=tree(self._layout.outcome),
            history_start=place[:, 1:] == 0,
        )
        return Windows(
            timesteps=timesteps(rows),
            action=map_tree(lambda tensor: tensor[:, 1:], action),
            mask=place[:, 1:] < end.unsqueeze(1),
            stream=stream,
            columns={name: found[column.name][:, 1:] for name, column in self._columns.items()},
        )

    def _places(
        self, num_windows: int, length: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of each window [batch]: its stream, its kept history, the place of its first step there,
        and the place where the part of the history ends.
        """
        kept = self._kept
        draws = torch.rand(
            4, num_windows, dtype=torch.float64, generator=generator, device=generator.device
        ).to(self._device)
        stream = (draws[0] * len(kept.first_history)).long()
        history = kept.first_history[stream] + (draws[1] * kept.num_histories[stream]).long()
        rows = kept.history_length[history]
        low = (rows * self._part[0]).round().long().minimum(rows - 1)
        high = (rows * self._part[1]).round().long().maximum(low + 1)
        room = (high - low - length).clamp(min=0) + 1
        offset = (draws[2] * room).long().masked_fill(draws[3] < self._from_start, 0)
        return stream, history, low + offset, high
