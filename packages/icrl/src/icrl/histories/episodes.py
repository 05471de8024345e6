"""Episodes: where each episode of a store lies, and which of them a sub-sampled history keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Episodes:
    """Every episode of a store, in the order of its rows.

    Row `r` of a store is a step of a stream: streams lie one after another, each with its steps in
    order.
    """

    stream: Tensor
    """[episodes] int64: the stream that it belongs to."""
    first_step: Tensor
    """[episodes] int64: the step of its stream at which it opens."""
    start: Tensor
    """[episodes] int64: its first row."""
    length: Tensor
    """[episodes] int64: how many rows it has."""
    ended: Tensor
    """[episodes] bool: whether it ended; the last of a stream may be cut by the end of the
    recording.
    """
    steps: Tensor
    """[streams] int64: the length of each stream."""

    @classmethod
    def of(cls, flags: Sequence[Tensor]) -> Self:
        """The episodes of a store, from where its episodes ended in each shard, [streams, steps]
        bool.
        """
        parts = []
        stream_offset = row_offset = 0
        for ended in flags:
            streams, steps = ended.shape
            closes = ended.clone()
            closes[:, -1] = True
            last = closes.view(-1).nonzero().squeeze(-1)
            start = torch.cat([last.new_zeros(1), last[:-1] + 1])
            stream = start // steps
            parts.append(
                (
                    stream + stream_offset,
                    start - stream * steps,
                    start + row_offset,
                    last - start + 1,
                    ended.reshape(-1)[last],
                    torch.full((streams,), steps),
                )
            )
            stream_offset += streams
            row_offset += streams * steps
        return cls(*(torch.cat(column) for column in zip(*parts, strict=True)))

    @property
    def outcome(self) -> Tensor:
        """[episodes] int64: the row of each ended episode's last observation among all outcomes."""
        return (self.ended.long().cumsum(0) - 1).clamp(min=0)


@dataclass(frozen=True)
class KeptEpisodes:
    """The episodes that sub-sampling keeps, as *kept histories*: what remains of a stream for one
    phase.

    The kept history of phase `p` consists of the episodes `p`, `p + every`, `p + 2 every`, ... of
    its stream. Episodes stay whole and in order, and each is in just one kept history.
    """

    start: Tensor
    """[kept] int64: the first row of each kept episode, kept history by kept history."""
    begin: Tensor
    """[kept + 1] int64: how many kept rows stand before each kept episode, and in all."""
    outcome: Tensor
    """[kept] int64: the row of each kept episode's last observation among all outcomes."""
    history_begin: Tensor
    """[histories] int64: how many kept rows stand before each kept history."""
    history_length: Tensor
    """[histories] int64: the rows of each kept history."""
    first_history: Tensor
    """[streams] int64: the number of the first kept history of each stream."""
    num_histories: Tensor
    """[streams] int64: how many kept histories each has: `every`, or fewer where it is short."""

    @classmethod
    def of(cls, episodes: Episodes, *, every: int) -> Self:
        """Keep every `every`-th episode of each stream, in every phase."""
        per_stream = episodes.stream.bincount(minlength=len(episodes.steps))
        before = (per_stream.cumsum(0) - per_stream)[episodes.stream]
        number = torch.arange(len(episodes.stream)) - before

        num_histories = per_stream.clamp(max=every)
        first_history = num_histories.cumsum(0) - num_histories
        history = first_history[episodes.stream] + number % every
        order = history.argsort(stable=True)
        length = episodes.length[order]
        begin = torch.cat([length.new_zeros(1), length.cumsum(0)])
        total = int(num_histories.sum())
        history_length = torch.zeros(total, dtype=torch.int64).scatter_add_(
            0, history[order], length
        )
        return cls(
            start=episodes.start[order],
            begin=begin,
            outcome=episodes.outcome[order],
            history_begin=history_length.cumsum(0) - history_length,
            history_length=history_length,
            first_history=first_history,
            num_histories=num_histories,
        )

    def to(self, device: torch.device) -> Self:
        """The same on another device."""
        return type(self)(**{name: tensor.to(device) for name, tensor in vars(self).items()})
