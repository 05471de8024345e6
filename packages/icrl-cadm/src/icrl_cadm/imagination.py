"""Imagination: what sequences of controls would earn, by a model that has been told a context."""

import os
import shutil
from abc import ABC, abstractmethod
from typing import Any, TypeAlias

import torch
from torch import Tensor

from icrl.errors import ConfigError
from icrl_cadm.gradient_adaptation import adaptation, stepped
from icrl_cadm.history import History
from icrl_cadm.model import DynamicsModel
from icrl_cadm.planning import Score
from icrl_cadm.states import FamilyRewards

COMPILERS = ("c++", "g++", "clang++", "cl", "cc", "gcc", "clang")
"""What may be called so where a step is compiled; for a GPU, one for C is enough."""
Told: TypeAlias = Any
"""What a forecaster makes of histories: a tree of tensors."""


class Forecaster(ABC):
    """Says what controls lead to, once it has been told what happened in each environment."""

    members: int
    probabilistic: bool
    """Whether it takes noise."""

    @abstractmethod
    def told(self, history: History) -> Told:
        """What the histories of the environments [envs] tell."""

    @abstractmethod
    def following(self, told: Told, state: Tensor, control: Tensor, noise: Tensor | None) -> Tensor:
        """What controls [members, envs, rows, control numbers] lead to, from states and to states
        [members, envs, rows, state numbers]; off its mean by standard normal noise of that shape.
        """

    @abstractmethod
    def outcome(
        self, told: Told, state: Tensor, control: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Learned reward [members, envs, rows], and termination, bool."""


class Conditioned(Forecaster):
    """A model to which a context tells the dynamics."""

    def __init__(self, model: DynamicsModel) -> None:
        self._model, self.members = model, model.members
        self.probabilistic = model.config.probabilistic

    def told(self, history: History) -> Tensor:
        """The context, [members, envs, 1, width]."""
        return self._model.context(history)[:, :, None]

    def following(
        self, told: Tensor, state: Tensor, control: Tensor, noise: Tensor | None
    ) -> Tensor:
        """By the model's forward network."""
        rows = _rows(told, state, control)
        flat = None if noise is None else noise.flatten(1, 2)
        return self._model.predict(rows[1], rows[2], rows[0], flat).view(state.shape)

    def outcome(
        self, told: Tensor, state: Tensor, control: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """By the model's network for outcomes."""
        context, before, controls, after = _rows(told, state, control, following)
        reward, logit = self._model.outcome(before, controls, after, context)
        return reward.view(state.shape[:-1]), logit.view(state.shape[:-1]) > 0


class Adapted(Forecaster):
    """A model whose forward network adapts to each environment by itself (GrBAL).

    Learned rewards and terminations do not adapt: the paper's are given.
    """

    probabilistic = False

    def __init__(self, model: DynamicsModel) -> None:
        self._model, self.members = model, model.members
        self._plain = Conditioned(model)

    def told(self, history: History) -> Told:
        """The step of each layer in each environment, and the plain model's context."""
        return adaptation(self._model, history), self._plain.told(history)

    def following(self, told: Told, state: Tensor, control: Tensor, noise: Tensor | None) -> Tensor:
        """By the stepped network, which is deterministic."""
        model, (steps, _) = self._model, told
        given = stepped(model.networks.forwards, steps, model.known(state, control))
        return model.states.following(state, model.targets.inverse(given))

    def outcome(
        self, told: Told, state: Tensor, control: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """By the model's network for outcomes."""
        return self._plain.outcome(told[1], state, control, following)


def _rows(context: Tensor, *tensors: Tensor) -> list[Tensor]:
    """The context, and tensors [members, envs, rows, ...], as [members, envs * rows, ...] each."""
    context = context.expand(-1, -1, tensors[0].shape[2], -1)
    return [tensor.flatten(1, 2) for tensor in (context, *tensors)]


class Imagination:
    """Imagined trajectories (trajectory sampling with a fixed member, TS-infinity of Chua et al.
    2018, arXiv:1805.12114).
    """

    def __init__(
        self,
        forecaster: Forecaster,
        rewards: FamilyRewards | None,
        *,
        particles: int,
        stop: bool,
        fused: bool = False,
    ) -> None:
        """
        Args:
            forecaster: says what follows.
            rewards: the family's; None: learned ones.
            particles: of each candidate and member.
            stop: whether a trajectory earns nothing after a termination.
            fused: compile a step of it.
        """
        self._forecaster, self._rewards = forecaster, rewards
        self._particles, self._stop = particles, stop
        # Unbound, so that no cycle keeps a policy's memory when nobody holds it any more.
        step = type(self)._step
        self._imagined = torch.compile(step) if fused else step

    def score(self, history: History, state: Tensor, generator: torch.Generator) -> Score:
        """What pays sequences of controls: what they earn, undiscounted, on average over members
        and particles.

        Args:
            history: of the environments [envs].
            state: of the environments now, [envs, state numbers].
            generator: draws what a probabilistic forecaster takes.
        """
        told = self._forecaster.told(history)

        def returns(controls: Tensor) -> Tensor:
            return self._returns(told, state, controls, generator)

        return returns

    def _returns(
        self, told: Told, state: Tensor, controls: Tensor, generator: torch.Generator
    ) -> Tensor:
        """[envs, candidates, horizon, control numbers] -> [envs, candidates]."""
        envs, candidates, horizon, numbers = controls.shape
        members, rows = self._forecaster.members, candidates * self._particles
        # Laid out as what follows it, so that one compiled step serves all.
        state = state[None, :, None].expand(members, -1, rows, -1).contiguous()
        total = torch.zeros(members, envs, rows, device=state.device)
        alive = torch.ones_like(total, dtype=torch.bool)
        noise = None
        for step in range(horizon):
            control = controls[:, :, step, None].expand(-1, -1, self._particles, -1)
            control = control.reshape(1, envs, rows, numbers).expand(members, -1, -1, -1)
            if self._forecaster.probabilistic:
                noise = torch.randn(state.shape, generator=generator, device=state.device)
            state, total, alive = self._imagined(self, told, state, control, noise, total, alive)
        return total.unflatten(2, (candidates, self._particles)).mean((0, 3))

    def _step(
        self,
        told: Told,
        state: Tensor,
        control: Tensor,
        noise: Tensor | None,
        total: Tensor,
        alive: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The next states, what has been earned by then, and which trajectories go on."""
        following = self._forecaster.following(told, state, control, noise)
        if self._rewards is not None:
            reward, terminated = self._rewards(state, control, following)
        else:
            reward, terminated = self._forecaster.outcome(told, state, control, following)
        # What is earned after an end may be infinite by now, which no zero would cancel.
        total = torch.where(alive, total + reward, total)
        return following, total, alive & ~terminated if self._stop else alive


def check_compiler() -> None:
    """See to it that steps can be compiled.

    Raises:
        ConfigError: where there is no compiler.
    """
    named = (os.environ.get(name, "") for name in ("CXX", "CC"))
    if not any(shutil.which(name) for name in (*named, *COMPILERS) if name):
        raise ConfigError(
            "fused compiles what is imagined, and there is no C++ compiler. Install one, or name "
            "one in the environment variable CXX; without fused, training and planning need none."
        )
