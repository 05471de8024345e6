"""PolicyContract: the laws of a policy as tests to inherit."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import pytest
import torch
from gymnasium import Space
from torch import Tensor, nn

from icrl.policy import Policy, SequencePolicy
from icrl.random_agent import RandomPolicy
from icrl.spaces import leaf_dtype, leaf_shape, leaf_spaces, unstack, zeros
from icrl.testing.accelerator import ACCELERATOR, pretended_accelerator
from icrl.timestep import TimeStep
from icrl.trees import Tree, leaves, map_tree, where

CPU = torch.device("cpu")

Decision: TypeAlias = tuple[Tensor | None, Tree]
"""The logits of a step, where a policy has any, and the actions."""


class PolicyContract:
    """The laws of `icrl.policy.Policy`. Inherit it, name the class `Test...`, and say what is to be
    tested:

        class TestMyPolicy(PolicyContract):
            observation_space = Discrete(5)
            action_space = Discrete(2)

            def make_policy(self, device):
                return MyAgent(Config(), Interface(...), device).policy()

    Random weights serve, if they are large enough that what is remembered shows in the actions.
    """

    observation_space: ClassVar[Space]
    """What the policy sees."""
    action_space: ClassVar[Space]
    """What it answers."""
    memory: ClassVar[Literal["none", "episode", "trial"]] = "trial"
    """What its agent's spec says."""
    on_the_host: ClassVar[str] = ""
    """Why the policy acts on the host, whatever the device: then it is not asked to act on one."""
    num_steps: ClassVar[int] = 37
    """Steps of a trial in these tests: for a policy with a window, more than twice its length."""
    tolerance: ClassVar[float] = 1e-4
    """How far two ways to compute the same logits may lie apart, relative and absolute."""

    def make_policy(self, device: torch.device) -> Policy:
        """The policy on a device: the same weights at each call with the same global torch seed."""
        raise NotImplementedError("a policy contract needs make_policy")

    def test_actions_lie_in_the_action_space(self) -> None:
        """*Fitting*."""
        for _, action in self._decide(self._trial(envs=3)):
            for (path, leaf), (_, space) in zip(
                leaves(action), leaves(leaf_spaces(self.action_space)), strict=True
            ):
                expected = (3, *leaf_shape(space)), leaf_dtype(space)
                assert (leaf.shape, leaf.dtype) == expected, (
                    f"the action {path} is {(tuple(leaf.shape), leaf.dtype)}, expected {expected}"
                )
            for value in unstack(self.action_space, action):
                assert self.action_space.contains(value), f"{value} is not in {self.action_space}"

    def test_equal_inputs_and_generator_states_give_equal_actions(self) -> None:
        """*Pure*: whatever the global generators are at, and whatever the policy did before."""
        policy = self._policy(CPU)
        trial = self._trial(envs=3)
        first = self._decide(trial, policy, global_seed=1)
        again = self._decide(trial, policy, global_seed=2)
        _assert_equal(
            first, again, "two runs with equal inputs and generator states", self.tolerance
        )

    def test_acting_changes_no_weight(self) -> None:
        """*Frozen*."""
        policy = self._policy(CPU)
        before = {name: tensor.detach().clone() for name, tensor in weights(policy)}
        self._decide(self._trial(envs=3), policy)
        after = dict(weights(policy))
        for name, tensor in before.items():
            assert torch.equal(tensor, after[name]), f"acting changed {name}"

    def test_one_environment_never_changes_anothers_action(self) -> None:
        """*Separate*."""
        trial, other = self._trial(envs=3, seed=1), self._trial(envs=3, seed=2)
        for changed in range(3):
            row = torch.arange(3) == changed
            disturbed = [_choose(row, b, a) for a, b in zip(trial, other, strict=True)]
            kept = torch.arange(3)[~row]
            _assert_equal(
                _rows(self._decide(trial), kept),
                _rows(self._decide(disturbed), kept),
                f"the other environments, after only environment {changed} went differently,",
                self.tolerance,
            )

    def test_an_episode_boundary_does_not_erase_the_context(self) -> None:
        """*Persistent*: what happened before the boundary still shows in what is done after it.

        61 environments live through two different first episodes of two steps, in half of them
        ended by termination; all that follows is the same.
        """
        if self.memory != "trial":
            pytest.skip(f"the policy's memory is {self.memory!r}")
        envs, boundary = 61, 2
        first, second = self._trial(envs, seed=1)[:5], self._trial(envs, seed=2)[:5]
        by_termination = torch.arange(envs) % 2 == 0
        flags = [
            {"episode_start": torch.full((envs,), t in (0, boundary))}
            | {"terminated": by_termination & (t == boundary)}
            for t in range(len(first))
        ]
        ours = [replace(step, **flag) for step, flag in zip(first, flags, strict=True)]
        theirs = [replace(step, **flag) for step, flag in zip(second, flags, strict=True)]
        theirs[boundary:] = ours[boundary:]
        after = [self._decide(trial)[boundary:] for trial in (ours, theirs)]
        for kind, rows in (("termination", by_termination), ("truncation", ~by_termination)):
            index = rows.nonzero()[:, 0]
            assert _differ(_rows(after[0], index), _rows(after[1], index)), (
                f"after a {kind}, nothing that the policy does depends on the episode before"
            )

    def test_a_cached_step_equals_the_full_pass(self) -> None:
        """*Cached = uncached*: past the window, with episodes that end at different steps."""
        policy = self._policy(CPU)
        if not isinstance(policy, SequencePolicy):
            pytest.skip("the policy has no full pass")
        trial = self._trial(envs=3)
        decisions = self._decide(trial, policy)
        cached = torch.stack([logits for logits, _ in decisions if logits is not None], dim=1)
        with torch.no_grad():
            full = policy.logits(_stacked(trial))
        torch.testing.assert_close(cached, full, rtol=self.tolerance, atol=self.tolerance)

    def test_acting_stays_on_the_device(self) -> None:
        """*On the device*: no mixed devices, no reading back, on a pretended accelerator."""
        if self.on_the_host:
            pytest.skip(f"the policy acts on the host: {self.on_the_host}")
        policy = self._policy(ACCELERATOR)
        with pretended_accelerator() as device, torch.no_grad():
            context = policy.initial_context(3)
            generator = torch.Generator().manual_seed(0)
            for timestep in self._trial(envs=3, device=device)[:5]:
                action, context = policy.act(timestep, context, generator)
                for path, leaf in leaves(action):
                    assert leaf.device == device, f"the action {path} came out on {leaf.device}"

    def _policy(self, device: torch.device) -> Policy:
        torch.manual_seed(0)
        return self.make_policy(device)

    def _trial(self, envs: int, seed: int = 0, device: torch.device = CPU) -> list[TimeStep]:
        generator = torch.Generator().manual_seed(seed)
        spaces = (self.observation_space, self.action_space)
        return random_trial(*spaces, envs, self.num_steps, generator, device)

    def _decide(
        self, trial: list[TimeStep], policy: Policy | None = None, *, global_seed: int = 0
    ) -> list[Decision]:
        """What the policy does with a replayed trial: its logits, if it has any, and actions, at
        each step.
        """
        policy = policy or self._policy(CPU)
        torch.manual_seed(global_seed)
        np.random.seed(global_seed)  # noqa: NPY002 (a policy may not depend on it)
        generator = torch.Generator().manual_seed(11)
        context = policy.initial_context(len(trial[0].reward))
        decisions: list[Decision] = []
        with torch.no_grad():
            for timestep in trial:
                timestep = timestep.map(torch.clone)
                if isinstance(policy, SequencePolicy):
                    logits, context = policy.step(timestep, context)
                    decisions.append((logits.clone(), policy.draw(logits, generator)))
                else:
                    action, context = policy.act(timestep, context, generator)
                    decisions.append((None, map_tree(torch.clone, action)))
        return decisions


def random_trial(
    observation_space: Space,
    action_space: Space,
    envs: int,
    num_steps: int,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
) -> list[TimeStep]:
    """Timesteps [envs] of trials in which everything is random, also when each environment's
    episodes end.
    """
    observe = RandomPolicy(observation_space, device)
    choose = RandomPolicy(action_space, device)
    first = TimeStep.first(zeros(observation_space, (envs,), device), action_space)
    trial: list[TimeStep] = []
    for step in range(num_steps):
        observation, _ = observe.act(first, None, generator)
        last, _ = observe.act(first, None, generator)
        action, _ = choose.act(first, None, generator)
        reward = torch.randn(envs, generator=generator, device=device)
        chance = torch.rand(envs, generator=generator, device=device)
        ended = chance < 0.3
        if step == 0:
            trial.append(TimeStep.first(observation, action_space))
            continue
        trial.append(
            TimeStep(
                observation=observation,
                action=action,
                reward=reward,
                outcome=where(ended, last, observation),
                terminated=chance < 0.15,
                episode_start=ended,
            )
        )
    return trial


def weights(thing: Any, name: str = "policy") -> Iterator[tuple[str, Tensor]]:
    """Every tensor that an object holds, through modules, containers and plain objects, with its
    path.
    """
    yield from _weights(thing, name, set())


def _weights(thing: Any, name: str, visited: set[int]) -> Iterator[tuple[str, Tensor]]:
    if id(thing) in visited:
        return
    visited.add(id(thing))
    if isinstance(thing, Tensor):
        yield name, thing
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from _weights(value, f"{name}.{key}", visited)
    elif isinstance(thing, list | tuple):
        for index, value in enumerate(thing):
            yield from _weights(value, f"{name}.{index}", visited)
    elif isinstance(thing, nn.Module):
        for key, tensor in (*thing.named_parameters(), *thing.named_buffers()):
            yield from _weights(tensor, f"{name}.{key}", visited)
        yield from _weights(vars(thing), name, visited)
    elif hasattr(thing, "__dict__") and not isinstance(thing, type) and not callable(thing):
        yield from _weights(vars(thing), name, visited)


def _choose(rows: Tensor, one: TimeStep, other: TimeStep) -> TimeStep:
    """Rows of `one` where `rows` ([envs] bool) holds, else of `other`."""
    return TimeStep(
        **{name: where(rows, getattr(one, name), getattr(other, name)) for name in vars(one)}
    )


def _rows(decisions: list[Decision], index: Tensor) -> list[Decision]:
    return [
        (None if logits is None else logits[index], map_tree(lambda leaf: leaf[index], action))
        for logits, action in decisions
    ]


def _stacked(trial: list[TimeStep]) -> TimeStep:
    """Timesteps [envs] as one of [envs, time]."""

    def stack(*tensors: Tensor) -> Tensor:
        return torch.stack(tensors, dim=1)

    return TimeStep(
        **{name: map_tree(stack, *(getattr(t, name) for t in trial)) for name in vars(trial[0])}
    )


def _pairs(first: list[Decision], second: list[Decision]) -> Iterator[tuple[Tensor, Tensor]]:
    for (logits, action), (other_logits, other_action) in zip(first, second, strict=True):
        if logits is not None and other_logits is not None:
            yield logits, other_logits
        for (_, leaf), (_, other_leaf) in zip(leaves(action), leaves(other_action), strict=True):
            yield leaf, other_leaf


def _assert_equal(
    first: list[Decision], second: list[Decision], what: str, tolerance: float
) -> None:
    for one, other in _pairs(first, second):
        torch.testing.assert_close(
            one,
            other,
            rtol=tolerance if one.is_floating_point() else 0,
            atol=tolerance if one.is_floating_point() else 0,
            msg=lambda text: f"{what} do not agree: {text}",
        )


def _differ(first: list[Decision], second: list[Decision]) -> bool:
    return any(not torch.allclose(one, other) for one, other in _pairs(first, second))
