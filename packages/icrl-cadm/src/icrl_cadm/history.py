"""History: the last transitions of an episode, which tell what dynamics it is in."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class History:
    """The last K transitions of rows; slots fill from the left, then shift; empty ones are zero.

    The original clears it at an episode's end, and so do we: what it tells is learned anew in every
    episode (Lee et al. 2020, section 4.1).
    """

    state: Tensor
    """[..., past, state numbers]."""
    control: Tensor
    """[..., past, control numbers]."""
    following: Tensor
    """[..., past, state numbers]."""
    filled: Tensor
    """[...] int64: how many slots hold a transition."""

    @classmethod
    def empty(
        cls, rows: int, past: int, num_states: int, num_controls: int, device: torch.device | str
    ) -> Self:
        """Of `rows` environments to which nothing has happened yet."""
        states = torch.zeros(rows, past, num_states, device=device)
        controls = torch.zeros(rows, past, num_controls, device=device)
        filled = torch.zeros(rows, dtype=torch.int64, device=device)
        return cls(states, controls, states.clone(), filled)

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The fields, in order."""
        return self.state, self.control, self.following, self.filled

    @property
    def differences(self) -> Tensor:
        """What the transitions changed, [..., past, state numbers]; raw, as the original has it."""
        return self.following - self.state

    def after(self, state: Tensor, control: Tensor, following: Tensor) -> Self:
        """The history once another transition [rows, ...] has happened."""
        past = self.state.shape[1]
        slot = torch.arange(past, device=self.filled.device)
        full = (self.filled == past)[:, None, None]
        last = self.filled.clamp(max=past - 1)
        here = (slot == last[:, None])[..., None]

        def put(slots: Tensor, new: Tensor) -> Tensor:
            slots = torch.where(full, slots.roll(-1, dims=1), slots)
            return torch.where(here, new[:, None], slots)

        return type(self)(
            put(self.state, state),
            put(self.control, control),
            put(self.following, following),
            (self.filled + 1).clamp(max=past),
        )

    def cleared(self, rows: Tensor) -> Self:
        """The history with `rows` [rows] bool emptied."""
        everything = rows[:, None, None]
        return type(self)(
            self.state.masked_fill(everything, 0),
            self.control.masked_fill(everything, 0),
            self.following.masked_fill(everything, 0),
            self.filled.masked_fill(rows, 0),
        )
