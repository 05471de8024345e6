"""The policy holds every law that can be asked of what acts through NumPy."""

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.agent import Interface
from icrl.testing import PolicyContract
from icrl_sb3.config import SB3AgentConfig
from icrl_sb3.learning import SB3Agent


class SB3Contract(PolicyContract):
    """A policy of random weights, large enough that actions depend on what is seen."""

    memory = "none"
    on_the_host = "Stable-Baselines3 acts through NumPy"
    algorithm: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}
    observation_space = spaces.Box(-5.0, 5.0, (5,), np.float32)

    def make_policy(self, device):
        interface = Interface(self.observation_space, self.action_space, 20, "test/Any", {})
        config = SB3AgentConfig(algorithm=self.algorithm, num_envs=1, settings=self.settings)
        policy = SB3Agent(config, interface, device).policy()
        with torch.no_grad():
            for weights in policy._model.policy.parameters():
                weights.mul_(3.0)
        return policy


class TestPPO(SB3Contract):
    algorithm = "PPO"
    action_space = spaces.Discrete(3, start=-1)


class TestPPOOfMissions(SB3Contract):
    algorithm = "PPO"
    action_space = spaces.MultiDiscrete([2, 3], start=[1, 0])
    observation_space = spaces.Dict(
        direction=spaces.Discrete(4),
        image=spaces.Box(0, 255, (7, 7, 3), np.uint8),
        mission=spaces.Text(11, charset="abc "),
    )


class TestA2COfNumbers(SB3Contract):
    algorithm = "A2C"
    action_space = spaces.Box(-2.0, 1.0, (2,), np.float32)


class TestDQN(SB3Contract):
    algorithm = "DQN"
    action_space = spaces.Discrete(3)


class TestSAC(SB3Contract):
    algorithm = "SAC"
    action_space = spaces.Box(-2.0, 1.0, (2,), np.float32)


class TestRecurrentPPO(SB3Contract):
    algorithm = "RecurrentPPO"
    settings: ClassVar[dict[str, Any]] = {"policy_kwargs": {"lstm_hidden_size": 11}}
    memory = "episode"
    action_space = spaces.Discrete(3)


def test_a_recurrent_learner_remembers_within_an_episode():
    contract = TestRecurrentPPO()
    policy = contract.make_policy(torch.device("cpu"))
    policy.deterministic = True
    trials = [contract._trial(61, seed=seed)[:3] for seed in (1, 2)]
    trials[1][1:] = trials[0][1:]  # the first step alone differs
    going_on = ~trials[0][1].episode_start & ~trials[0][2].episode_start
    last = [contract._decide(trial, policy)[2][1] for trial in trials]
    assert isinstance(last[0], torch.Tensor) and isinstance(last[1], torch.Tensor)
    assert (last[0] != last[1])[going_on].any()
    assert torch.equal(last[0][~going_on], last[1][~going_on])


@pytest.mark.parametrize("name", ["DQN", "QRDQN"])
def test_a_q_learner_is_greedy_with_and_without_argmax(name: str):
    interface = Interface(spaces.Discrete(5), spaces.Discrete(3), 20, "test/Any", {})
    agent = SB3Agent(SB3AgentConfig(algorithm=name), interface, torch.device("cpu"))
    timestep = SB3Contract._trial(TestRows(), 97)[0]
    drawn, likeliest = (
        agent.policy(argmax=argmax).act(timestep, (), torch.Generator())[0]
        for argmax in (False, True)
    )
    assert torch.equal(drawn, likeliest)


class TestRows(SB3Contract):
    """Rows of a table."""

    algorithm = "DQN"
    observation_space = spaces.Discrete(5)
    action_space = spaces.Discrete(3)
