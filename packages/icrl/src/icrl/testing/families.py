"""FamilyContract: the laws of a family as tests to inherit."""

from unittest.mock import patch

import pytest
import torch

from icrl.native import NativeFamily
from icrl.spaces import zeros
from icrl.testing.accelerator import ACCELERATOR, pretended_accelerator
from icrl.testing.planner_laws import PlannerLaws
from icrl.testing.return_laws import ReturnLaws
from icrl.testing.single_laws import SingleLaws
from icrl.testing.task_laws import TaskLaws, few_tasks
from icrl.testing.vector_laws import VectorLaws
from icrl.trees import leaves


class FamilyContract(TaskLaws, VectorLaws, SingleLaws, ReturnLaws, PlannerLaws):
    """The laws of `icrl.families.TaskFamily`. Inherit it, name the class `Test...`, and say what is
    tested:

        class TestMyFamily(FamilyContract):
            def make_family(self):
                return icrl.make_family("mine/Family-v0", size=5)

    What a family does not offer (a single environment, pictures, an oracle, stated returns, a
    reward for planners) is skipped. Make it small: an episode of ten steps tests as much as one of
    a thousand. If what an agent sees first may differ between tasks because the family defines it
    so, set `first_observation_shows_task = True`.
    """

    def test_stepping_stays_on_the_device(self) -> None:
        """*On the device*: a native family mixes no devices and reads nothing back, on a pretended
        accelerator.

        But one thing, once a step, where observing is dear: which rows ended. The answer is
        pretended here too: three of five.
        """
        family = self.make_family()
        if not isinstance(family, NativeFamily):
            pytest.skip("the family is stepped on the CPU")
        pool = few_tasks(family, 3)
        for episodes_per_task in (None, 1):
            env = family.vector_env(
                pool, num_envs=5, episodes_per_task=episodes_per_task, device=ACCELERATOR
            )
            with (
                pretended_accelerator() as device,
                patch("icrl.native.vector.rows_where") as ended,
            ):
                ended.return_value = torch.zeros(3, dtype=torch.int64, device=device)
                env.reset(seed=0)
                action = zeros(family.action_space, (5,), device)
                steps = 3 if family.terminates else family.max_episode_steps or 3
                for step in range(1, steps + 1):
                    observation, *rest, info = env.step(action)
                    most = step if family.dear_observation else 0
                    assert ended.call_count <= most, "it reads back more than once a step"
                    for path, leaf in leaves((observation, *rest, info)):
                        assert leaf.device == device, f"{path} came out on {leaf.device}"
