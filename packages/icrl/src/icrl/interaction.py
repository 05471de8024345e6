"""Interaction: the one loop in which a policy plays and timesteps come to be."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from icrl.errors import AutoresetError
from icrl.policy import Policy
from icrl.seeds import POLICY, derived_seed
from icrl.spaces import clipper
from icrl.timestep import TimeStep
from icrl.trees import Tree
from icrl.vector import TaskVectorEnv


@dataclass(frozen=True)
class Transition:
    """One step of every row: what the policy saw, what it did, what came of it."""

    timestep: TimeStep
    """What the policy saw, [envs]."""
    action: Tree
    """What it did, [envs, *action]."""
    reward: Tensor
    """[envs] float32."""
    terminated: Tensor
    """[envs] bool."""
    truncated: Tensor
    """[envs] bool."""
    following: TimeStep
    """What the policy sees next; its `outcome` is what the action led to."""
    info: dict[str, Any]
    """What the environment told besides; `success` [envs] bool where the family reports it."""

    @property
    def ended(self) -> Tensor:
        """Whether the transition ended an episode, [envs] bool."""
        return self.following.episode_start


def play(policy: Policy, env: TaskVectorEnv, *, seed: int) -> Iterator[Transition]:
    """Let a policy play, from the start of a trial in every row, without end.

    Row `i` plays its task for as long as the iterator is drawn from, and the context lasts as long:
    nothing here knows of trials that end, so the environment's tasks must be fixed
    (`episodes_per_task` not given).

    Args:
        policy: acts on the environment's device.
        env: in same-step autoreset.
        seed: seeds the environment, and, apart from it, the generator that the policy draws from.

    Raises:
        AutoresetError: before the first step.
    """
    check_autoreset(env)
    return _play(policy, env, seed)


def _play(policy: Policy, env: TaskVectorEnv, seed: int) -> Iterator[Transition]:
    generator = policy_generator(seed, env.device)
    observation, _ = env.reset(seed=seed)
    timestep = TimeStep.first(observation, env.single_action_space)
    context = policy.initial_context(env.num_envs)
    clipped = clipper(env.single_action_space, env.device)
    while True:
        with torch.no_grad():
            action, context = policy.act(timestep, context, generator)
        action = clipped(action)  # what the environment receives
        observation, reward, terminated, truncated, info = env.step(action)
        following = TimeStep(
            observation=observation,
            action=action,
            reward=reward,
            outcome=info["final_obs"],
            terminated=terminated,
            episode_start=terminated | truncated,
        )
        yield Transition(timestep, action, reward, terminated, truncated, following, info)
        timestep = following


def policy_generator(seed: int, device: torch.device | str) -> torch.Generator:
    """A policy's generator for a seed: never the stream that an environment draws from with the
    same seed.
    """
    of_device = torch.device(device)
    # "meta" stands for an accelerator in tests; it has no generator of its own.
    kind = torch.device("cpu") if of_device.type == "meta" else of_device
    return torch.Generator(kind).manual_seed(derived_seed(seed, POLICY))


def check_autoreset(env: TaskVectorEnv) -> None:
    """Refuse a vector environment that is not in same-step autoreset."""
    mode = env.metadata.get("autoreset_mode")
    if mode is not AutoresetMode.SAME_STEP:
        name = getattr(mode, "name", mode)
        raise AutoresetError(
            f"this vector environment's autoreset mode is {name}, which would put a step without "
            "an action between episodes. Make it with a family's vector_env, or with "
            "autoreset_mode=AutoresetMode.SAME_STEP."
        )
