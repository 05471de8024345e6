"""Clues: what a learner is shown of an episode's transitions beside its state."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl_cadm.history import History
from icrl_cadm.model import DynamicsModel

TRANSITIONS, CONTEXT, NOISE = "transitions", "context", "noise"


class Clues(ABC):
    """What a history is shown as: named vectors that stand beside the state."""

    sizes: Mapping[str, int]
    """Numbers of each."""
    standardised: tuple[str, ...] = ()
    """Those that are shown by their running mean and deviation, as the state is."""
    num_draws: int = 0
    """Standard normal numbers that are drawn at an episode's opening and held to its end."""

    @abstractmethod
    def __call__(self, history: History, draws: Tensor) -> dict[str, Tensor]:
        """The vectors [rows, size] of a history [rows], with the episode's draws [rows, draws]."""


class NoClues(Clues):
    """Nothing: plain PPO."""

    sizes: Mapping[str, int] = {}

    def __call__(self, history: History, draws: Tensor) -> dict[str, Tensor]:
        """Nothing."""
        return {}


class StackedClues(Clues):
    """The past transitions as they are: what each changed, and its control."""

    standardised = (TRANSITIONS,)

    def __init__(self, past: int, num_states: int, num_controls: int) -> None:
        self.sizes = {TRANSITIONS: past * (num_states + num_controls)}

    def __call__(self, history: History, draws: Tensor) -> dict[str, Tensor]:
        """All slots side by side; empty ones are zero."""
        return {TRANSITIONS: torch.cat((history.differences, history.control), -1).flatten(1)}


class SampledClues(Clues):
    """The past transitions, and the noise by which a context is drawn from what they tell."""

    standardised = (TRANSITIONS,)

    def __init__(self, past: int, num_states: int, num_controls: int, context_size: int) -> None:
        self._stacked = StackedClues(past, num_states, num_controls)
        self.num_draws = context_size
        self.sizes = {**self._stacked.sizes, NOISE: context_size}

    def __call__(self, history: History, draws: Tensor) -> dict[str, Tensor]:
        """All slots side by side, and the episode's noise."""
        return {**self._stacked(history, draws), NOISE: draws}


class ModelClues(Clues):
    """The context of a trained dynamics model's first member, through which no gradient goes."""

    def __init__(self, model: DynamicsModel, device: torch.device | str, *, whole: bool) -> None:
        """Keep a frozen copy of the model.

        Args:
            model: a model with a context.
            device: where histories lie.
            whole: show zeros until all slots are filled.
        """
        self._model = copy.deepcopy(model).requires_grad_(False).eval().to(device)
        self._whole = whole
        self.sizes = {CONTEXT: model.width}

    @torch.no_grad()
    def __call__(self, history: History, draws: Tensor) -> dict[str, Tensor]:
        """What member 0 infers: the original, too, takes no other's."""
        context = self._model.context(history)[0]
        if self._whole:
            complete = history.filled == history.state.shape[1]
            context = torch.where(complete[:, None], context, 0.0)
        return {CONTEXT: context}


def shown_space(num_inputs: int, clues: Clues) -> spaces.Dict:
    """The space of clues beside what is seen of states, [num_inputs]."""
    sizes = {"state": num_inputs, **clues.sizes}
    return spaces.Dict(
        {name: spaces.Box(-np.inf, np.inf, (n,), np.float32) for name, n in sizes.items()}
    )
