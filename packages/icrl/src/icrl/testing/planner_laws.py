"""PlannerLaws: what a family tells planners is what its environments do."""

from itertools import islice

import pytest
import torch
from torch import Tensor

from icrl.families import DynamicsView, RewardModel, TaskFamily
from icrl.interaction import Transition, play
from icrl.random_agent import RandomPolicy
from icrl.testing.task_laws import FamilyLaws, few_tasks
from icrl.trees import Tree, map_tree

ROWS, MOST_STEPS = 5, 200
RELATIVE, ABSOLUTE = 1e-4, 1e-4
"""How far a number may lie from the environment's, since observations are rounded to float32."""


class PlannerLaws(FamilyLaws):
    """The laws of `RewardModel` and `DynamicsView`; a family that is neither has none.

    Where a family offers planners another reward than its own by an argument, test it with its own.
    """

    def test_a_planners_reward_is_the_environments(self) -> None:
        """*Exact*: reward and termination of transitions that random actions brought about."""
        family = self.make_family()
        model = _rewarding(family)
        for step in _played(family):
            with torch.no_grad():
                reward, terminated = model.reward_and_termination(*_arguments(step))
            _assert_close("a planner's reward", reward, step.reward)
            assert torch.equal(terminated, step.terminated), (
                f"a planner is told of the ends {terminated.tolist()}, "
                f"the environment has {step.terminated.tolist()}"
            )

    def test_a_planners_reward_takes_any_leading_axes(self) -> None:
        """*Batched*: transitions [time, rows] are told what those of each time are."""
        family = self.make_family()
        model = _rewarding(family)
        arguments = [_arguments(step) for step in _played(family)]
        together = model.reward_and_termination(*map_tree(_stacked, *arguments))
        apart = map_tree(_stacked, *(model.reward_and_termination(*each) for each in arguments))
        for name, ours, theirs in zip(("reward", "termination"), together, apart, strict=True):
            assert ours.shape == theirs.shape, f"{name} [time, rows] is {tuple(ours.shape)}"
            _assert_close(f"{name} of several axes", ours.float(), theirs.float())

    def test_a_predicted_observation_is_what_its_target_was_made_of(self) -> None:
        """*Inverse*: of transitions that random actions brought about, [time, rows]."""
        family = self.make_family()
        if not isinstance(family, DynamicsView):
            pytest.skip("the family has no view for models of its dynamics")
        pairs = [(step.timestep.observation, step.following.outcome) for step in _played(family)]
        before, after = map_tree(_stacked, *pairs)
        target = family.model_targets(before, after)
        assert target.shape == after.shape, f"targets {tuple(target.shape)} of {tuple(after.shape)}"
        _assert_close("a prediction", family.predicted_observation(before, target), after)
        shown = family.model_inputs(before)
        each = torch.stack([family.model_inputs(observation) for observation in before])
        assert torch.equal(shown, each), "inputs [time, rows] differ from those of each time"


def _rewarding(family: TaskFamily) -> RewardModel:
    if not isinstance(family, RewardModel):
        pytest.skip("the family offers planners no reward")
    return family


def _played(family: TaskFamily) -> list[Transition]:
    """Two episodes of random actions, or as much of them as can be looked at."""
    steps = min(2 * (family.max_episode_steps or MOST_STEPS) + 3, MOST_STEPS)
    env = family.vector_env(few_tasks(family, 3), num_envs=ROWS)
    try:
        policy = RandomPolicy(family.action_space, "cpu")
        return list(islice(play(policy, env, seed=0), steps))
    finally:
        env.close()


def _arguments(step: Transition) -> tuple[Tree, Tree, Tree]:
    return step.timestep.observation, step.action, step.following.outcome


def _stacked(*leaves: Tensor) -> Tensor:
    return torch.stack(leaves)


def _assert_close(what: str, found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(
        found, expected, rtol=RELATIVE, atol=ABSOLUTE, msg=lambda text: f"{what}: {text}"
    )
