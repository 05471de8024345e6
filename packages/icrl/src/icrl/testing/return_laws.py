"""ReturnLaws: the optimal and the random return that a family states are earned."""

from typing import ClassVar

import pytest
import torch
from torch import Tensor

from icrl.families import Solved
from icrl.interaction import play
from icrl.policy import Policy
from icrl.random_agent import RandomPolicy
from icrl.tasks import Tasks
from icrl.testing.task_laws import FamilyLaws, few_tasks
from icrl.vector import TaskVectorEnv

DEVIATIONS = 4.5
"""How many standard errors a mean may lie from what is stated."""


class ReturnLaws(FamilyLaws):
    """The laws of `optimal_return` and `random_return`."""

    episodes_per_return: ClassVar[int] = 256
    """Episodes of each of 13 tasks that are played to check a stated return."""

    def test_the_oracle_earns_the_stated_optimum(self) -> None:
        """*Optimum*: the dashed line of every figure is reached."""
        family = self.make_family()
        tasks = few_tasks(family, 13)
        stated = family.optimal_return(tasks)
        if stated is None or not isinstance(family, Solved):
            pytest.skip("the family states no optimum, or has no oracle")
        rows = tasks.repeat(self.episodes_per_return)
        self._compare(rows, family.oracle(rows), stated, "the oracle")

    def test_random_actions_earn_the_stated_random_return(self) -> None:
        """*Random*: as far as a few thousand episodes can tell."""
        family = self.make_family()
        tasks = few_tasks(family, 13)
        stated = family.random_return(tasks)
        if stated is None:
            pytest.skip("the family states no random return")
        policy = RandomPolicy(family.action_space, "cpu")
        self._compare(tasks.repeat(self.episodes_per_return), policy, stated, "random actions")

    def test_stated_returns_are_one_number_for_each_task(self) -> None:
        """*Layout*: float32, [tasks], and no task's depends on the others asked about."""
        family = self.make_family()
        tasks = few_tasks(family, 13)
        for name in ("optimal_return", "random_return"):
            stated = getattr(family, name)(tasks)
            if stated is None:
                continue
            found = stated.dtype, tuple(stated.shape)
            assert found == (torch.float32, (len(tasks),)), f"{name} is {found}"
            alone = torch.cat([getattr(family, name)(task) for task in tasks])
            torch.testing.assert_close(stated, alone, msg=f"{name} depends on the other tasks")

    def _compare(self, rows: Tasks, policy: Policy, stated: Tensor, who: str) -> None:
        """Compare the mean over all episodes, and how it goes up and down with the tasks."""
        env = self.make_family().vector_env(rows)
        surplus = first_returns(policy, env, seed=0) - stated.double().repeat_interleave(
            self.episodes_per_return
        )
        env.close()
        contrast = (stated - stated.mean()).double().repeat_interleave(self.episodes_per_return)
        for weights, what in (
            (torch.ones_like(surplus), "on average"),
            (contrast, "from task to task"),
        ):
            weighed = weights * surplus
            bound = DEVIATIONS * weighed.std() / len(weighed) ** 0.5 + 1e-4
            assert weighed.mean().abs() <= bound, (
                f"{who} earn {surplus.mean():+.4f} ± {surplus.std() / len(surplus) ** 0.5:.4f} "
                f"beyond the {stated.mean():.4f} that are stated; they differ {what}"
            )


def first_returns(policy: Policy, env: TaskVectorEnv, *, seed: int) -> Tensor:
    """The return of each row's first episode, [envs] float64."""
    earned = torch.zeros(env.num_envs, dtype=torch.float64)
    running = torch.ones(env.num_envs, dtype=torch.bool)
    for transition in play(policy, env, seed=seed):
        earned += transition.reward.cpu().double() * running
        running &= ~transition.ended.cpu()
        if not running.any():
            break
    return earned
