"""Policy: acts, with frozen weights, carrying a context through a trial."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import torch
from torch import Tensor

from icrl.timestep import TimeStep
from icrl.trees import Tree

Context = TypeVar("Context")


class Policy(ABC, Generic[Context]):
    """Acts on timesteps, with frozen weights.

    Laws, each checked by `icrl.testing.PolicyContract`:

    * *fitting*: actions lie in the action space;
    * *pure*: equal inputs and generator state give equal actions; samples come from `generator`
      alone;
    * *frozen*: acting changes no weight;
    * *separate*: what happens in one environment never changes another's action;
    * *persistent* (if the agent's spec says `memory="trial"`): an episode boundary does not erase
      the context;
    * *cached = uncached* (for a `SequencePolicy`): acting step by step equals the full pass;
    * *on the device*: `act` mixes no devices and reads no tensor back to the host.
    """

    @abstractmethod
    def initial_context(self, num_envs: int) -> Context:
        """The context at the start of a trial, for `num_envs` environments."""

    @abstractmethod
    def act(
        self, timestep: TimeStep, context: Context, generator: torch.Generator
    ) -> tuple[Tree, Context]:
        """Choose actions [envs, *action] and the context to go on with.

        The context given is consumed: it may be written to, and must not be used again. The
        previous action is read from the timestep, never from the context, so that a prompt can be
        replayed.
        """


class SequencePolicy(Policy[Context]):
    """A policy with a full forward pass over trials; acting is one cached step of it and a draw."""

    @abstractmethod
    def logits(self, timesteps: TimeStep) -> Tensor:
        """What the actions are drawn from, at every step of trials [envs, time]: [envs, time, ...].

        Attention is banded to the policy's window at every layer over the whole trial, which is
        what acting with a ring-buffer cache computes.
        """

    @abstractmethod
    def step(self, timestep: TimeStep, context: Context) -> tuple[Tensor, Context]:
        """The logits of one step [envs, ...] from the context, and the context to go on with."""

    @abstractmethod
    def draw(self, logits: Tensor, generator: torch.Generator) -> Tree:
        """Actions [envs, *action] from the logits of one step [envs, ...]."""

    def act(
        self, timestep: TimeStep, context: Context, generator: torch.Generator
    ) -> tuple[Tree, Context]:
        """One cached step and a draw."""
        logits, context = self.step(timestep, context)
        return self.draw(logits, generator), context
