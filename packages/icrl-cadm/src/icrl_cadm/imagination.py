"""Imagination: what sequences of controls would earn, by a model that has been told a context."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from icrl_cadm.gradient_adaptation import adaptation, stepped
from icrl_cadm.history import History
from icrl_cadm.model import DynamicsModel
from icrl_cadm.states import FamilyRewards


class Informed(ABC):
    """A model that knows the histories of some environments."""

    members: int

    @abstractmethod
    def following(self, state: Tensor, control: Tensor, generator: torch.Generator) -> Tensor:
        """What controls [members, envs, rows, control numbers] lead to, from states and to states
        [members, envs, rows, state numbers]; drawn, by a probabilistic model.
        """

    @abstractmethod
    def outcome(self, state: Tensor, control: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Learned reward [members, envs, rows], and termination, bool."""


class Told(Informed):
    """A model to which a context tells the dynamics."""

    def __init__(self, model: DynamicsModel, history: History) -> None:
        """`history` is of the environments [envs]."""
        self._model, self.members = model, model.members
        self._context = model.context(history)[:, :, None]  # [members, envs, 1, width]

    def following(self, state: Tensor, control: Tensor, generator: torch.Generator) -> Tensor:
        """By the model's forward network."""
        known, controls, context = self._rows(state, control)
        return self._model.predict(known, controls, context, generator).view(state.shape)

    def outcome(self, state: Tensor, control: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """By the model's network for outcomes."""
        before, controls, after, context = self._rows(state, control, following)
        reward, logit = self._model.outcome(before, controls, after, context)
        return reward.view(state.shape[:-1]), logit.view(state.shape[:-1]) > 0

    def _rows(self, *tensors: Tensor) -> list[Tensor]:
        """[members, envs, rows, ...] -> [members, envs * rows, ...], and the context beside."""
        context = self._context.expand(-1, -1, tensors[0].shape[2], -1)
        return [tensor.flatten(1, 2) for tensor in (*tensors, context)]


class Adapted(Informed):
    """A model whose forward network has adapted to each environment by itself (GrBAL).

    Learned rewards and terminations do not adapt: the paper's are given.
    """

    def __init__(self, model: DynamicsModel, history: History) -> None:
        """`history` is of the environments [envs]."""
        self._model, self.members = model, model.members
        self._steps, self._told = adaptation(model, history), Told(model, history)

    def following(self, state: Tensor, control: Tensor, generator: torch.Generator) -> Tensor:
        """By the stepped network, which is deterministic."""
        model = self._model
        given = stepped(model.networks.forwards, self._steps, model.known(state, control))
        return model.states.following(state, model.targets.inverse(given))

    def outcome(self, state: Tensor, control: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """By the model's network for outcomes."""
        return self._told.outcome(state, control, following)


class Imagination:
    """Imagined trajectories of some environments, from where they are (trajectory sampling with a
    fixed member, TS-infinity of Chua et al. 2018, arXiv:1805.12114).
    """

    def __init__(
        self,
        model: Informed,
        rewards: FamilyRewards | None,
        state: Tensor,
        *,
        particles: int,
        stop: bool,
        generator: torch.Generator,
    ) -> None:
        """
        Args:
            model: that knows what happened.
            rewards: the family's; None: learned ones.
            state: of the environments now, [envs, state numbers].
            particles: of each candidate and member.
            stop: whether a trajectory earns nothing after a termination.
            generator: draws what a probabilistic model predicts.
        """
        self._model, self._rewards, self._state = model, rewards, state
        self._particles, self._stop, self._generator = particles, stop, generator

    def returns(self, controls: Tensor) -> Tensor:
        """What sequences [envs, candidates, horizon, control numbers] earn, undiscounted, on
        average over members and particles, [envs, candidates].
        """
        envs, candidates, horizon, numbers = controls.shape
        members, rows = self._model.members, candidates * self._particles
        state = self._state[None, :, None].expand(members, -1, rows, -1)
        total = torch.zeros(members, envs, rows, device=state.device)
        alive = torch.ones_like(total, dtype=torch.bool)
        for step in range(horizon):
            control = controls[:, :, step, None].expand(-1, -1, self._particles, -1)
            control = control.reshape(1, envs, rows, numbers).expand(members, -1, -1, -1)
            following = self._model.following(state, control, self._generator)
            reward, terminated = self._outcome(state, control, following)
            total = total + reward * alive
            if self._stop:
                alive = alive & ~terminated
            state = following
        return total.unflatten(2, (candidates, self._particles)).mean((0, 3))

    def _outcome(self, state: Tensor, control: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        if self._rewards is not None:
            return self._rewards(state, control, following)
        return self._model.outcome(state, control, following)
