"""Rows: the columns of a store's shards as tables from which any rows can be gathered."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from icrl.histories.columns import Column, Layout, as_words, from_words

INTEGERS = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}


class Table:
    """One column of one or more shards as a flat table of rows, [rows, ...]."""

    def __init__(self, column: Column, parts: Sequence[Tensor], device: torch.device) -> None:
        """Join parts [rows, *shape]; a single part that is already on the device is not copied."""
        self.column = column
        parts = [part for part in parts if len(part)] or [
            torch.zeros(1, *column.shape, dtype=column.stored)
        ]
        if len(parts) == 1:
            table = parts[0].to(device)
        else:
            table = torch.empty(
                sum(map(len, parts)), *column.shape, dtype=column.stored, device=device
            )
            end = 0
            for part in parts:
                start, end = end, end + len(part)
                table[start:end] = part
        self._words = as_words(table, column)
        self._table = table.reshape(len(table), -1)

    def __len__(self) -> int:
        return len(self._table)

    def gather(self, rows: Tensor) -> Tensor:
        """The rows [batch, time, *shape] at the places [batch, time], in the stored dtype."""
        flat = rows.reshape(-1)
        if self._words is not None:
            return from_words(self._words.index_select(0, flat).view(rows.shape), self.column)
        stored = self._table.dtype  # torch selects no rows of unsigned types beyond bytes
        chosen = self._table.view(INTEGERS.get(stored, stored)).index_select(0, flat)
        return chosen.view(stored).view(*rows.shape, *self.column.shape)


class Rows(ABC):
    """The rows of a store's streams, numbered one stream after another."""

    @abstractmethod
    def gather(self, rows: Tensor, outcomes: Tensor) -> dict[str, Tensor]:
        """The columns by name, [batch, time, *shape] on the device, in the dtype of their space.

        Args:
            rows: numbers of rows, [batch, time]; those of one batch entry are of one shard.
            outcomes: numbers of ended episodes, [batch, time]; a number that fits no row gives any
                value.
        """


class ResidentRows(Rows):
    """All rows on the device."""

    def __init__(
        self,
        layout: Layout,
        shards: Sequence[Mapping[str, Tensor]],
        columns: Sequence[Column],
        device: torch.device,
    ) -> None:
        self._per_step = [
            Table(column, [shard[column.name].flatten(0, 1) for shard in shards], device)
            for column in columns
        ]
        self._outcomes = [
            Table(column, [shard[column.name] for shard in shards], device)
            for column in layout.per_ended_episode()
        ]

    def gather(self, rows: Tensor, outcomes: Tensor) -> dict[str, Tensor]:
        """See `Rows.gather`."""
        found = {
            table.column.name: table.gather(rows).to(table.column.dtype) for table in self._per_step
        }
        for table in self._outcomes:
            found[table.column.name] = table.gather(outcomes).to(table.column.dtype)
        return found


class MappedRows(Rows):
    """Rows that stay in the files and are read when they are gathered, then moved to the device."""

    def __init__(
        self,
        layout: Layout,
        shards: Sequence[Mapping[str, Tensor]],
        columns: Sequence[Column],
        device: torch.device,
    ) -> None:
        cpu = torch.device("cpu")
        self._device = device
        self._shards = [ResidentRows(layout, [shard], columns, cpu) for shard in shards]
        num_rows = torch.tensor([shard["reward"].numel() for shard in shards])
        self._row_offsets = num_rows.cumsum(0) - num_rows
        ended = layout.per_ended_episode()[0].name
        num_outcomes = torch.tensor([len(shard[ended]) for shard in shards])
        self._outcome_offsets = num_outcomes.cumsum(0) - num_outcomes
        self._num_outcomes = num_outcomes

    def gather(self, rows: Tensor, outcomes: Tensor) -> dict[str, Tensor]:
        """See `Rows.gather`."""
        rows, outcomes = rows.cpu(), outcomes.cpu()
        shard = torch.searchsorted(self._row_offsets, rows[:, 0].contiguous(), right=True) - 1
        order = shard.argsort(stable=True)
        numbers, counts = shard[order].unique_consecutive(return_counts=True)
        parts: list[dict[str, Tensor]] = []
        for number, chosen in zip(numbers.tolist(), order.split(counts.tolist()), strict=True):
            last = max(int(self._num_outcomes[number]) - 1, 0)
            of_shard = (outcomes[chosen] - self._outcome_offsets[number]).clamp(0, last)
            parts.append(
                self._shards[number].gather(rows[chosen] - self._row_offsets[number], of_shard)
            )
        back = order.argsort()
        return {
            name: torch.cat([part[name] for part in parts])[back].to(self._device)
            for name in parts[0]
        }
