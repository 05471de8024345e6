"""Collecting: episodes on training tasks, of random or planned actions."""

from collections.abc import Callable

import torch
from torch import Tensor

from icrl.errors import SpaceError
from icrl.interaction import policy_generator
from icrl.progress import Advance
from icrl.spaces import clipper
from icrl.timestep import TimeStep
from icrl.trees import Tree
from icrl.vector import TaskVectorEnv
from icrl_cadm.controls import Controls
from icrl_cadm.policy import PlanningPolicy
from icrl_cadm.states import States
from icrl_cadm.transitions import Transitions

Act = Callable[[TimeStep, torch.Generator], Tree]


def at_random(controls: Controls) -> Act:
    """Acts uniformly at random."""

    def act(timestep: TimeStep, generator: torch.Generator) -> Tree:
        return controls.decoded(controls.random((len(timestep.reward),), generator))

    return act


def by_planning(policy: PlanningPolicy, num_envs: int) -> Act:
    """Acts as a policy does, from an empty context."""
    context = policy.initial_context(num_envs)

    def act(timestep: TimeStep, generator: torch.Generator) -> Tree:
        nonlocal context
        action, context = policy.act(timestep, context, generator)
        return action

    return act


def collect(
    env: TaskVectorEnv,
    act: Act,
    steps: int,
    *,
    seed: int,
    states: States,
    controls: Controls,
    validation: float,
    advance: Advance,
) -> tuple[Transitions, list[float]]:
    """Play for so many steps in each environment, from new episodes.

    Args:
        env: redraws its tasks at every episode.
        act: chooses the actions.
        steps: of each environment; episodes that go on longer are cut.
        seed: of the environments' noise and tasks, and of the actions.
        states: how observations are vectors.
        controls: how actions are.
        validation: share of transitions to hold out.
        advance: moves the progress bar.

    Returns:
        The transitions, and what every episode that ended meanwhile had earned.

    Raises:
        SpaceError: for an observation that is not finite, naming environment and step.
    """
    generator = policy_generator(seed, env.device)
    observation, _ = env.reset(seed=seed)
    timestep = TimeStep.first(observation, env.single_action_space)
    clipped = clipper(env.single_action_space, env.device)
    rows, earned = [], torch.zeros(env.num_envs, device=env.device)
    ends, returns = [], []
    for step in range(steps):
        state = states.vectors(timestep.observation)
        check_finite(state, env, step)
        action = clipped(act(timestep, generator))
        observation, reward, terminated, truncated, info = env.step(action)
        outcome, ended = info["final_obs"], terminated | truncated
        following = states.vectors(outcome)
        check_finite(following, env, step + 1)
        check_finite(reward[:, None], env, step + 1, what="reward")
        rows.append(
            {
                "state": state,
                "control": controls.encoded(action),
                "following": following,
                "reward": reward,
                "terminated": terminated,
                "opens": timestep.episode_start,
            }
        )
        earned = earned + reward
        ends.append(ended)
        returns.append(earned)
        earned = earned.masked_fill(ended, 0)
        timestep = TimeStep(observation, action, reward, outcome, terminated, ended)
        advance(env.num_envs)
    columns = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    transitions = Transitions.of(**columns, validation=validation, generator=generator)
    return transitions, torch.stack(returns)[torch.stack(ends)].tolist()


def check_finite(
    shown: Tensor, env: TaskVectorEnv, step: int, *, what: str = "observation"
) -> None:
    """Refuse numbers [envs, numbers] that are not finite; the host waits for the answer.

    Raises:
        SpaceError: naming the environment and the step.
    """
    finite = shown.isfinite().all(1)
    if not finite.all():
        row = int((~finite).nonzero()[0])
        raise SpaceError(
            f"{env.family.id}, environment {row}, step {step}: the {what} has numbers that "
            f"are not finite: {shown[row].tolist()}. A model cannot learn from them; mend the "
            "environment, or wrap it so that it ends the episode before."
        )
