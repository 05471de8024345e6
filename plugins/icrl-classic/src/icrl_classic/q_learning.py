"""Q-learning as an in-context learner: its table is its context, and no weight there is.

Watkins 1989, "Learning from Delayed Rewards", doi:10.1007/BF00992698.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from icrl.errors import SpaceError
from icrl.policy import Policy
from icrl.timestep import TimeStep
from icrl_classic.agent import ClassicAgent
from icrl_classic.bandits import best, sometimes_any
from icrl_classic.finite import FiniteSpace
from icrl_classic.tabular_config import QLearningConfig

MOST_ENTRIES = 2**20
"""So many values a table may have, for each environment."""


class Table(NamedTuple):
    """What a trial has taught so far."""

    values: Tensor
    """[envs, states, actions]: what each action is worth in each state."""
    epsilon: Tensor
    """[envs]: the probability of a step at random in this episode."""
    state: Tensor
    """[envs] int64: where the last action was taken."""
    begun: bool
    """Whether there was a last action."""


class QLearningPolicy(Policy[Table]):
    """Learns the worth of actions from every transition, and takes the best, now and then any."""

    def __init__(
        self,
        states: FiniteSpace,
        actions: FiniteSpace,
        config: QLearningConfig,
        device: torch.device,
    ) -> None:
        self.states, self.actions, self.config, self.device = states, actions, config, device

    def initial_context(self, num_envs: int) -> Table:
        """All actions alike."""
        shape = (num_envs, self.states.size, self.actions.size)
        values = torch.full(shape, self.config.initial_value, device=self.device)
        epsilon = torch.full((num_envs,), self.config.epsilon, device=self.device)
        state = torch.zeros(num_envs, dtype=torch.int64, device=self.device)
        return Table(values, epsilon, state, begun=False)

    def act(
        self, timestep: TimeStep, context: Table, generator: torch.Generator
    ) -> tuple[Tensor, Table]:
        """Learn from the last transition, and choose the next action."""
        epsilon = context.epsilon
        if context.begun:
            self._learn(timestep, context)
            decayed = epsilon * self.config.epsilon_decay
            epsilon = torch.where(timestep.episode_start, decayed, epsilon)
        state = self.states.number(timestep.observation)
        greedy = best(self._row(context.values, state), self.config.ties, generator)
        action = self.actions.element(sometimes_any(greedy, epsilon, self.actions.size, generator))
        return action, Table(context.values, epsilon, state, begun=True)

    def _learn(self, timestep: TimeStep, context: Table) -> None:
        """`Q(s, a) <- Q(s, a) + rate (r + discount max over a' of Q(s', a') - Q(s, a))`."""
        config = self.config
        ahead = self._row(context.values, self.states.number(timestep.outcome)).amax(1)
        ahead = ahead.masked_fill(timestep.terminated, 0.0)
        target = torch.add(timestep.reward, ahead, alpha=config.discount).unsqueeze(1)
        entry = context.state * self.actions.size + self.actions.number(timestep.action)
        flat, entry = context.values.flatten(1), entry.unsqueeze(1)
        flat.scatter_(1, entry, flat.gather(1, entry).lerp_(target, config.learning_rate))

    def _row(self, values: Tensor, state: Tensor) -> Tensor:
        """The values of the actions in states [envs], [envs, actions]."""
        index = state[:, None, None].expand(-1, 1, self.actions.size)
        return values.gather(1, index).squeeze(1)


class QLearningAgent(ClassicAgent):
    """Tabular Q-learning within the trial."""

    config_class = QLearningConfig
    config: QLearningConfig

    def new_policy(self) -> QLearningPolicy:
        """Serves finitely many states and actions.

        Raises:
            SpaceError: if the table would be too large.
        """
        states, actions = self.finite_states(), self.finite_actions()
        if states.size * actions.size > MOST_ENTRIES:
            raise SpaceError(
                f"{self.interface.family} has {states.size:,} states and {actions.size:,} actions, "
                f"and a table may have {MOST_ENTRIES:,} entries. Choose a family with fewer."
            )
        return QLearningPolicy(states, actions, self.config, self.device)
