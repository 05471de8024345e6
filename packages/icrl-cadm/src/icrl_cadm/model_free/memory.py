"""Memory: what rows of environments remember of their episodes, in training and when acting."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from icrl.trees import where
from icrl_cadm.history import History
from icrl_cadm.model_free.clues import Clues, shown_space
from icrl_cadm.states import States


@dataclass(frozen=True)
class Past:
    """What rows remember of the episodes that they are in."""

    state: Tensor
    """[rows, state numbers]: where they are."""
    history: History
    """The transitions so far."""
    draws: Tensor
    """[rows, draws]: drawn at the episode's opening."""


class Memory:
    """Keeps an episode's transitions, and shows what they tell beside the state.

    The environment in which PPO learns and the policy that acts later keep one and the same, so
    that the policy sees what PPO saw.
    """

    def __init__(
        self, clues: Clues, states: States, *, past: int, num_controls: int, num_probes: int = 0
    ) -> None:
        """
        Args:
            clues: what is shown of the transitions.
            states: how much a state is, and what is shown of it: what a model would see.
            past: how many transitions are kept.
            num_controls: numbers of a control.
            num_probes: if given, the first transitions of an episode are kept and later ones are
                not; so many of them, at most `past`, probe the task.
        """
        self.clues, self.past, self.num_probes = clues, past, num_probes
        self.states, self._num_controls = states, num_controls
        self.space = shown_space(states.num_inputs, clues)
        """What is shown."""

    def blank(self, rows: int, device: torch.device | str) -> Past:
        """Of rows to which nothing has happened; `reopened` makes an episode of it."""
        sizes = self.past, self.states.size, self._num_controls
        return Past(
            torch.zeros(rows, self.states.size, device=device),
            History.empty(rows, *sizes, device),
            torch.zeros(rows, self.clues.num_draws, device=device),
        )

    def lived(self, past: Past, control: Tensor, following: Tensor) -> Past:
        """The past once `control` [rows, control numbers] has led to the state `following`."""
        history = past.history.after(past.state, control, following)
        if self.num_probes:
            full = past.history.filled >= self.past
            kept = where(full, past.history.tensors(), history.tensors())
            history = History(*kept)
        return replace(past, state=following, history=history)

    def reopened(
        self, past: Past, rows: Tensor, state: Tensor, generator: torch.Generator | None
    ) -> Past:
        """The past in `state` [rows, state numbers], where `rows` [rows] bool open an episode.

        Without a generator an episode's draws are zero: their mean.
        """
        draws = torch.zeros_like(past.draws)
        if generator is not None and self.clues.num_draws:
            draws = torch.randn(draws.shape, generator=generator, device=draws.device)
        draws = torch.where(rows[:, None], draws, past.draws)
        return Past(state, past.history.cleared(rows), draws)

    def probing(self, past: Past) -> Tensor:
        """Whether the next control probes the task, [rows] bool."""
        return past.history.filled < self.num_probes

    def shown(self, past: Past) -> dict[str, Tensor]:
        """What is seen of the state, and the clues, by name, [rows, numbers]."""
        seen = self.states.inputs(past.state)
        return {"state": seen, **self.clues(past.history, past.draws)}
