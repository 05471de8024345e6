"""It learns in context: where a task can be told by its transitions alone, all contexts help."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

import icrl
from icrl.agent import Interface
from icrl.families import Episode, RewardModel
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.run import Run
from icrl.tasks import Tasks
from icrl.training_view import training_view
from icrl_cadm.config import CaDMConfig
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.learning import ModelFreeAgent

CPU = torch.device("cpu")
GAINS = {"train": (0.4, 0.6, 0.8), "test": (0.5, 0.7)}


class Tiller(NativeFamily, RewardModel):
    """A boat whose tiller may be mounted the wrong way round.

    | what        | space        | meaning                                        |
    |-------------|--------------|------------------------------------------------|
    | observation | Box [1]      | how far off the boat is, within ±2             |
    | action      | Box [1] in ±1| moves it by the task's gain times the action   |
    | reward      | -4 to 0      | -(how far off it is then)²                     |
    | episode     | 20 steps     | truncated; opens between -1 and 1              |
    | task        | gain         | .4 .6 .8 to train, .5 .7 to test, either sign  |

    Who does not know the sign can do no better than nothing: -20 / 3 on average.
    """

    id = "icrl-tests/Tiller-v0"
    observation_space = spaces.Box(-2.0, 2.0, (1,))
    action_space = spaces.Box(-1.0, 1.0, (1,))
    task_space = spaces.Dict({"gain": spaces.Box(-1.0, 1.0, ())})
    max_episode_steps, trial_episodes, terminates = 20, 1, False
    num_tasks = {"train": 6, "test": 4}  # noqa: RUF012 (as the contract has it)

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        gains = torch.tensor([sign * gain for gain in GAINS[split] for sign in (-1, 1)])
        order = torch.randperm(len(gains), generator=torch.Generator().manual_seed(seed))
        return Tasks(self.id, {}, split, {"gain": gains[order[:num_tasks]]})

    def initial(self, task: Task, generator: torch.Generator) -> State:
        return 2 * torch.rand(task["gain"].shape, generator=generator) - 1

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        after = (state + task["gain"] * action[:, 0]).clamp(-2, 2)
        return Consequence(after, -after.square())

    def observation(self, state: State, task: Task) -> Tensor:
        return state[:, None].clone()

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        return np.zeros((2, 2, 3), np.uint8)

    def reward_and_termination(
        self, observation: Tensor, action: Tensor, next_observation: Tensor
    ) -> tuple[Tensor, Tensor]:
        reward = -next_observation[..., 0].square()
        return reward, torch.zeros_like(reward, dtype=torch.bool)


def returns(directory, context: str) -> np.ndarray:
    """What an agent earns in 40 episodes of each held-out task."""
    family = Tiller()
    dynamics = CaDMConfig(
        iterations=3,
        epochs=10,
        learning_rate=3e-3,
        hidden=(32, 32),
        encoder=(32,),
        context_size=3,
        horizon=5,
        candidates=20,
        elites=5,
        refinements=2,
    )
    config = ModelFreeConfig(
        context=context,
        past=4,
        steps=48_000,
        num_envs=40,
        rollout=20,
        learning_rate=3e-3,
        clip_values=False,
        limits_terminate=False,
        value=0.5,
        normalize_rewards=True,
        encoder=(32,),
        context_size=3,
        dynamics=dynamics,
    )
    agent = ModelFreeAgent(config, Interface.of(family), CPU)
    agent.learn(training_view(family, None, seed=0), Run(directory, quiet=True))
    tasks = family.sample_tasks(4, split="test", seed=0).repeat(40)
    policy = agent.policy(argmax=True)
    return icrl.evaluate(policy, family.vector_env(tasks), episodes=1, seed=0).returns[:, 0]


@pytest.fixture(scope="module")
def without(tmp_path_factory) -> np.ndarray:
    """What PPO earns that sees the state alone."""
    return returns(tmp_path_factory.mktemp("none"), "none")


@pytest.mark.slow
@pytest.mark.parametrize("context", ["stacked", "probabilistic", "cadm", "probed"])
def test_ppo_steers_boats_that_only_their_transitions_tell_apart(tmp_path, without, context):
    """By a permutation test beside PPO without a context: were both alike, each boat's difference
    could as well have the other sign.
    """
    gained = returns(tmp_path, context) - without
    signs = np.random.default_rng(0).choice((-1, 1), size=(10_000, len(gained)))
    at_least = (signs * gained).mean(1) >= gained.mean()
    assert (1 + at_least.sum()) / 10_001 < 1e-3, gained.mean()
