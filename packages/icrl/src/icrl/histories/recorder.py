"""HistoryRecorder: takes every step of a shard's learners and writes them as histories."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from icrl.agent import Interface
from icrl.errors import SpaceError
from icrl.histories.claims import ClaimedFile
from icrl.histories.columns import Column, Layout, as_words, from_words, optional_column
from icrl.histories.shard import Place, ShardWriter
from icrl.tasks import Tasks
from icrl.trees import Tree, leaves_like

BLOCK_BYTES = 64 << 20
"""A block of steps is kept on the device until it has so many bytes, then written at once."""
ADVANCE_SECONDS = 0.1
"""How often the progress bar hears of new transitions."""


class HistoryRecorder:
    """Records one shard: call `step` once for every step of the environments, in order.

    Row `i` of what `step` gets is stream `i`: `streams_per_task` streams in a row for each of
    `tasks`. Used as a context manager: the shard is written whole if the block ends well, and not
    at all if it does not.
    """

    tasks: Tasks
    """The tasks of this shard."""
    num_streams: int
    """Streams of this shard."""
    steps: int
    """Steps that each stream must get."""
    recorded: int
    """Steps recorded so far."""

    def __init__(
        self,
        file: ClaimedFile,
        interface: Interface,
        tasks: Tasks,
        place: Place,
        *,
        device: torch.device,
        advance: Callable[[int], object] | None = None,
        finished: Callable[[], object] | None = None,
    ) -> None:
        self.tasks = tasks
        self.num_streams = place.streams
        self.steps = place.steps
        self.recorded = 0
        self._file = file
        self._interface = interface
        self._place = place
        self._device = device
        self._advance = advance
        self._finished = finished
        self._advanced, self._advance_at = 0, 0.0
        self._begun: _Begun | None = None
        self._ended_streams: list[Tensor] = []
        self._outcomes: dict[str, list[Tensor]] = {}

    def step(
        self,
        observation: Tree,
        action: Tree,
        reward: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        outcome: Tree,
        **columns: Tensor,
    ) -> None:
        """Record one step of every stream; what is given is copied.

        Args:
            observation: what the learners acted on, [streams, *observation].
            action: what the environments received, [streams, *action].
            reward: what they answered, [streams].
            terminated: whether the step ended the episode by termination, [streams] bool.
            truncated: whether it ended it by truncation, [streams] bool.
            outcome: what the action led to, [streams, *observation]: the next observation, and
                where an episode ended, its last one (`info["final_obs"]` of a `TaskVectorEnv`).
            columns: optional columns, [streams, ...], the same names at every step.
        """
        begun = self._begun or self._begin(columns)
        layout, block = begun.layout, begun.block
        if block.is_full:
            self._flush(begun)
        if len(columns) != len(layout.optional):
            raise ValueError(
                f"every step needs the columns of the first, {sorted(layout.optional)}; "
                f"got {sorted(columns)}."
            )
        if self.recorded == self.steps:
            raise ValueError(f"this shard has {self.steps} steps, and one more was recorded.")
        block.append(
            [
                *leaves_like(layout.observation, observation),
                *leaves_like(layout.action, action),
                reward,
                terminated,
                truncated,
                *leaves_like(layout.outcome, outcome),
                *(columns[name] for name in layout.optional),
            ]
        )
        self.recorded += 1
        self._show_progress()

    def finish(self) -> None:
        """Write what is left and move the shard into its store.

        Raises:
            ValueError: if fewer steps were recorded than the shard has.
            StorageError: if the disk is full; the store is then what it was before.
        """
        if self._begun is None or self.recorded < self.steps:
            raise ValueError(
                f"this shard has {self.steps} steps, and only {self.recorded} were recorded."
            )
        self._flush(self._begun)
        streams = torch.cat(self._ended_streams)
        # Blocks come in the order of steps, a shard's outcomes by stream and then by step.
        order = streams.argsort(stable=True)
        self._begun.writer.finish(
            {name: torch.cat(parts)[order] for name, parts in self._outcomes.items()}
        )
        if self._advance is not None:
            self._advance(self.recorded * self.num_streams - self._advanced)
        if self._finished is not None:
            self._finished()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self._file.release()

    def _begin(self, columns: Mapping[str, Tensor]) -> "_Begun":
        optional = {name: optional_column(name, value) for name, value in sorted(columns.items())}
        interface = self._interface
        layout = Layout.of(interface.observation_space, interface.action_space, optional)
        self._begun = _Begun(
            layout,
            ShardWriter(self._file, layout, self._place),
            Block(layout, self.num_streams, self.steps, self._device),
        )
        self._outcomes = {column.name: [] for column in layout.per_ended_episode()}
        return self._begun

    def _flush(self, begun: "_Begun") -> None:
        """Write the block's steps, and keep the last observations of episodes that ended in it."""
        layout, block = begun.layout, begun.block
        block.check_bounds()
        first_step = self.recorded - block.filled
        for column in layout.per_step():
            begun.writer.write_block(column, first_step, block.by_stream(column))
        steps, streams = block.ended().nonzero(as_tuple=True)
        self._ended_streams.append(streams.cpu())
        for column in layout.per_ended_episode():
            self._outcomes[column.name].append(block[column][steps, streams].cpu())
        block.filled = 0

    def _show_progress(self) -> None:
        now = time.monotonic()
        if self._advance is not None and now >= self._advance_at:
            transitions = self.recorded * self.num_streams
            self._advance(transitions - self._advanced)
            self._advanced, self._advance_at = transitions, now + ADVANCE_SECONDS


@dataclass(frozen=True)
class _Begun:
    """What the first step fixes: only it shows which optional columns there are."""

    layout: Layout
    writer: ShardWriter
    block: "Block"


class Block:
    """Some steps of every stream, kept on the device until they are written.

    Integers of a finite space are kept as they came until then: cast at once to the small type in
    which they are stored, one out of its range could wrap to a value that looks right.
    """

    def __init__(self, layout: Layout, streams: int, steps: int, device: torch.device) -> None:
        self.columns = layout.in_order_of_recording()
        kept = {column.name: _kept(column) for column in self.columns}
        step_bytes = streams * sum(
            math.prod(column.shape) * kept[column.name].itemsize for column in self.columns
        )
        self.steps = max(1, min(steps, BLOCK_BYTES // max(1, step_bytes)))
        self.filled = 0
        self._tensors = {
            column.name: torch.empty(
                self.steps, streams, *column.shape, dtype=kept[column.name], device=device
            )
            for column in self.columns
        }
        self._shapes = [tensor.shape[1:] for tensor in self._tensors.values()]
        # NumPy's assignment costs a third of torch's where there are few streams.
        self._rows = [_writable(tensor) for tensor in self._tensors.values()]

    @property
    def is_full(self) -> bool:
        """Whether it must be written before another step."""
        return self.filled == self.steps

    def append(self, values: list[Tensor]) -> None:
        """Take the values of one step, [streams, ...] in the order of the columns.

        Raises:
            SpaceError: if one is not of its column's shape.
        """
        at = self.filled
        for column, shape, rows, value in zip(
            self.columns, self._shapes, self._rows, values, strict=True
        ):
            if value.shape != shape:
                raise SpaceError(
                    f"{column.name} came as {list(value.shape)}; its space needs {list(shape)}."
                )
            rows[at] = value.numpy() if type(rows) is np.ndarray else value
        self.filled = at + 1

    def __getitem__(self, column: Column) -> Tensor:
        """The rows of a column as they are stored, [steps, streams, ...]."""
        return self._tensors[column.name][: self.filled].to(column.stored)

    def ended(self) -> Tensor:
        """Where an episode ended, [steps, streams] bool."""
        return self[Layout.TERMINATED] | self[Layout.TRUNCATED]

    def by_stream(self, column: Column) -> Tensor:
        """The rows of a column in memory, [streams, steps, ...]."""
        rows = self[column]
        words = as_words(rows, column)
        if words is None:
            return rows.transpose(0, 1).contiguous().cpu()
        return from_words(words.transpose(0, 1).contiguous().cpu(), column)

    def check_bounds(self) -> None:
        """Refuse values outside of their spaces, before they are cast.

        Raises:
            SpaceError: naming the column and the value.
        """
        for column in self.columns:
            if column.bounds is None:
                continue
            low, high = column.bounds
            extremes = self._tensors[column.name][: self.filled].aminmax()
            smallest, largest = int(extremes.min), int(extremes.max)
            if smallest < low or largest > high:
                wrong = smallest if smallest < low else largest
                raise SpaceError(
                    f"{column.name} holds {wrong}; its space has values from {low} to {high}."
                )


def _kept(column: Column) -> torch.dtype:
    return column.stored if column.bounds is None else torch.int64


def _writable(tensor: Tensor) -> Any:
    """What takes `rows[at] = value` fastest: the tensor, or its memory as a NumPy array."""
    if tensor.device.type != "cpu" or tensor.dtype is torch.bfloat16:
        return tensor
    return tensor.numpy()
