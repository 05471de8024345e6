"""Tabular MDPs: policies that count what every action did in every state, and plan each episode."""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from icrl.errors import ConfigError, SpaceError
from icrl.policy import Policy
from icrl.timestep import TimeStep
from icrl_classic.agent import ClassicAgent
from icrl_classic.bandits import best, sometimes_any
from icrl_classic.beliefs import belief_of
from icrl_classic.config import PlanningConfig
from icrl_classic.finite import FiniteSpace
from icrl_classic.gamma import gamma, log_gamma

MOST_STATES = 512
"""A table of transitions has states * actions * states entries for each environment."""


class Experience(NamedTuple):
    """What a trial has shown so far, and the plan that was made of it."""

    pulls: Tensor
    """[envs, states * actions]: how often each action was taken in each state."""
    paid: Tensor
    """[envs, states * actions]: what it paid in all."""
    led: Tensor
    """[envs, states * actions, outcomes]: how often it led to each state and, last, to the end of
    the episode by termination; the prior's counts included."""
    plan: Tensor
    """[envs, horizon, states, actions]: what each action is worth at each step of the plan."""
    step: Tensor
    """[envs] int64: which step of the plan is next."""
    episodes: Tensor
    """[envs] int64: how many episodes have begun."""
    state: Tensor
    """[envs] int64: where the last action was taken."""
    begun: bool
    """Whether there was a last action."""


class TabularMDP:
    """The tables' axes: states, actions and outcomes, of which the last is the episode's end."""

    def __init__(self, states: FiniteSpace, actions: FiniteSpace) -> None:
        self.states, self.actions = states, actions
        self.num_arms = states.size * actions.size
        self.num_outcomes = states.size + 1

    def arm(self, state: Tensor, action: Tensor) -> Tensor:
        """The place [envs] of states [envs] with actions [envs, *action]."""
        return state * self.actions.size + self.actions.number(action)

    def outcome(self, timestep: TimeStep) -> Tensor:
        """What the last action led to, [envs]."""
        return torch.where(
            timestep.terminated, self.states.size, self.states.number(timestep.outcome)
        )

    def table(self, values: Tensor) -> Tensor:
        """[envs, states * actions, ...] as [envs, states, actions, ...]."""
        return values.unflatten(1, (self.states.size, self.actions.size))


class PlanningPolicy(Policy[Experience]):
    """Makes a plan for each episode, from all that the trial has shown, and does what it says.

    Episodes of the rows may begin at different times, which only the device knows. Where looking
    costs nothing, on a CPU, a step in which no row begins one plans nothing. On an accelerator a
    look would cost more than a plan: there every step plans for all rows, and only the rows that
    begin an episode take it. An episode that outlasts its plan gets another one.
    """

    def __init__(
        self,
        mdp: TabularMDP,
        config: PlanningConfig,
        device: torch.device,
        *,
        epsilon: float = 0.0,
    ) -> None:
        assert config.horizon is not None
        self.mdp = mdp
        self.horizon = config.horizon
        self.belief = belief_of(config)
        self.concentration = config.concentration
        self.ties = config.ties
        self.epsilon = epsilon
        self.device = device

    @abstractmethod
    def plan(self, experience: Experience, generator: torch.Generator) -> Tensor:
        """The worth of actions at each step to come, [envs, horizon, states, actions]."""

    def initial_context(self, num_envs: int) -> Experience:
        """Nothing seen, and no plan."""
        mdp = self.mdp
        counts = torch.zeros(num_envs, mdp.num_arms, device=self.device)
        led = torch.full(
            (num_envs, mdp.num_arms, mdp.num_outcomes), self.concentration, device=self.device
        )
        led[..., -1] = 0.0  # no family need terminate
        nothing = torch.zeros(num_envs, dtype=torch.int64, device=self.device)
        shape = (num_envs, self.horizon, mdp.states.size, mdp.actions.size)
        plan = torch.zeros(shape, device=self.device)
        return Experience(counts, counts.clone(), led, plan, nothing, nothing, nothing, begun=False)

    def act(
        self, timestep: TimeStep, context: Experience, generator: torch.Generator
    ) -> tuple[Tensor, Experience]:
        """Count what the last action did, plan where an episode begins, and follow the plan."""
        if context.begun:
            self._count(timestep, context)
        due = timestep.episode_start | (context.step == self.horizon)
        if not context.begun:
            due = torch.ones_like(due)
        experience = context._replace(
            step=context.step.masked_fill(due, 0),
            episodes=context.episodes + timestep.episode_start,
            state=self.mdp.states.number(timestep.observation),
            begun=True,
        )
        experience = experience._replace(plan=self._planned(due, experience, generator))
        chosen = best(self._worth(experience), self.ties, generator)
        if self.epsilon:
            chosen = sometimes_any(chosen, self.epsilon, self.mdp.actions.size, generator)
        action = self.mdp.actions.element(chosen)
        return action, experience._replace(step=experience.step + 1)

    def _count(self, timestep: TimeStep, experience: Experience) -> None:
        arm = self.mdp.arm(experience.state, timestep.action)
        credit = self.belief.credited(timestep.reward).unsqueeze(1)
        one = torch.ones_like(credit)
        experience.pulls.scatter_add_(1, arm.unsqueeze(1), one)
        experience.paid.scatter_add_(1, arm.unsqueeze(1), credit)
        entry = arm * self.mdp.num_outcomes + self.mdp.outcome(timestep)
        experience.led.flatten(1).scatter_add_(1, entry.unsqueeze(1), one)

    def _planned(self, due: Tensor, experience: Experience, generator: torch.Generator) -> Tensor:
        """The plan of each row, made anew in rows `due` [envs] bool."""
        if due.device.type == "cpu":
            # A seed is drawn at each step, so that no row's draws depend on whether others plan.
            seed = int(torch.randint(2**62, (), generator=generator))
            if not due.any():
                return experience.plan
            generator = torch.Generator().manual_seed(seed)
        fresh = self.plan(experience, generator)
        return torch.where(due[:, None, None, None], fresh, experience.plan)

    def _worth(self, experience: Experience) -> Tensor:
        """What the actions are worth now, [envs, actions]."""
        per_env = experience.plan.flatten(1, 2)
        place = experience.step * self.mdp.states.size + experience.state
        index = place[:, None, None].expand(-1, 1, self.mdp.actions.size)
        return per_env.gather(1, index).squeeze(1)


def transition_mean(led: Tensor) -> Tensor:
    """The posterior's mean of transitions, from its counts, of the same shape."""
    return led / led.sum(-1, keepdim=True)


def transition_sample(led: Tensor, generator: torch.Generator, *, least: float = 1.0) -> Tensor:
    """A draw from the posterior: Dirichlet, as gamma variates divided by their sum.

    `least`: the least count of an outcome that is possible at all.
    """
    if least < 1:
        return log_gamma(led, generator).softmax(-1)
    weights = gamma(led, generator)
    return weights.div_(weights.sum(-1, keepdim=True))


def mdp_to_plan(agent: ClassicAgent, config: PlanningConfig) -> TabularMDP:
    """The tables that a planning agent keeps of its family.

    Raises:
        SpaceError: if states or actions are not finitely many, or too many states.
        ConfigError: if neither the family nor the user gives a horizon.
    """
    states, actions = agent.finite_states(), agent.finite_actions()
    family = agent.interface.family
    if states.size > MOST_STATES:
        raise SpaceError(
            f"{family} has {states.size:,} states, and tables of what each action leads to in each "
            f"are kept for at most {MOST_STATES}. Choose a family with fewer, or the agent "
            "q-learning."
        )
    if config.horizon is None:
        raise ConfigError(
            f"the episodes of {family} have no horizon up to which to plan. Give horizon."
        )
    return TabularMDP(states, actions)
