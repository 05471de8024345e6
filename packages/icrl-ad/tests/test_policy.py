"""The policy holds every law, with discrete and continuous actions, sampled and argmax."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.agent import Interface
from icrl.errors import SpaceError
from icrl.testing import PolicyContract
from icrl_ad.config import DistillationConfig
from icrl_ad.learning import DistillationAgent

WINDOW = 7


class DistillationContract(PolicyContract):
    """A policy of random weights: 37 steps are more than five windows."""

    argmax = False

    def make_policy(self, device):
        interface = Interface(self.observation_space, self.action_space, 5, "test/Any", {})
        config = DistillationConfig(window=WINDOW, width=16, layers=3, heads=2, feed_forward=20)
        agent = DistillationAgent(config, interface, device)
        return agent.policy(argmax=self.argmax)


class TestCells(DistillationContract):
    observation_space = spaces.MultiDiscrete([5, 7])
    action_space = spaces.Discrete(3)


class TestCellsByArgmax(TestCells):
    argmax = True


class TestNumbers(DistillationContract):
    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = spaces.Box(-2.0, 2.0, (2,), np.float32)


class TestUnboundedActions(DistillationContract):
    observation_space = spaces.Box(-1.0, 1.0, (3,), np.float32)
    action_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)


class TestMission(DistillationContract):
    observation_space = spaces.Dict(
        direction=spaces.Discrete(4),
        image=spaces.Box(0, 255, (7, 7, 3), np.uint8),
        mission=spaces.Text(11, charset="abc "),
    )
    action_space = spaces.MultiDiscrete([2, 3], start=[1, 0])


class TestCards(DistillationContract):
    observation_space = spaces.Tuple((spaces.Discrete(11), spaces.Discrete(2, start=1)))
    action_space = spaces.Dict(bits=spaces.MultiBinary(3), arm=spaces.Discrete(2))


def test_an_action_space_without_a_head_is_refused():
    interface = Interface(spaces.Discrete(2), spaces.Text(5), 5, "test/Any", {})
    with pytest.raises(SpaceError, match="no action head serves"):
        DistillationAgent(DistillationConfig(), interface, torch.device("cpu"))
