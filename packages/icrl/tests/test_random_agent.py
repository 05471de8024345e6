"""The agent `random`: every space, uniformly, from its generator alone."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.agent import Interface
from icrl.config import Config
from icrl.errors import DamagedFileError
from icrl.random_agent import RandomAgent, RandomPolicy
from icrl.spaces import unstack
from icrl.testing.policies import PolicyContract
from icrl.testing.two_cells import TwoCells
from icrl.timestep import TimeStep

EVERY_SPACE = {
    "discrete": spaces.Discrete(5, start=-2),
    "multidiscrete": spaces.MultiDiscrete([2, 7], start=[3, 0]),
    "multibinary": spaces.MultiBinary([2, 3]),
    "vector": spaces.Box(-1.5, 2.0, (2,)),
    "double": spaces.Box(-1.0, 1.0, (3,), np.float64),
    "image": spaces.Box(0, 255, (3, 2), np.uint8),
    "integers": spaces.Box(-3, 4, (5,), np.int32),
    "half": spaces.Box(
        np.array([0, -np.inf, -np.inf], np.float32), np.array([np.inf, 1, np.inf], np.float32), (3,)
    ),
    "wide": spaces.Box(np.finfo(np.float32).min, np.finfo(np.float32).max, (2,)),
    "text": spaces.Text(5, min_length=2, charset="abc"),
    "dict": spaces.Dict({"hand": spaces.Discrete(2), "arm": spaces.Box(-1, 1, (3,))}),
    "tuple": spaces.Tuple((spaces.Discrete(3), spaces.Tuple((spaces.MultiBinary(2),)))),
}


class EverySpace(PolicyContract):
    memory = "none"
    observation_space = spaces.Discrete(5)

    def make_policy(self, device):
        return RandomPolicy(self.action_space, device)


class TestDiscrete(EverySpace):
    action_space = EVERY_SPACE["discrete"]


class TestMixed(EverySpace):
    action_space = spaces.Dict(EVERY_SPACE)


def draw(space, num_envs=997, seed=3):
    timestep = TimeStep.first(torch.zeros(num_envs), spaces.Discrete(2))
    policy = RandomPolicy(space, "cpu")
    generator = torch.Generator().manual_seed(seed)
    return policy.act(timestep, None, generator)[0]


@pytest.mark.parametrize("name", EVERY_SPACE)
def test_every_draw_lies_in_the_space(name):
    space = EVERY_SPACE[name]
    assert all(space.contains(value) for value in unstack(space, draw(space)))


def test_each_discrete_action_is_as_likely_as_the_others():
    counts = torch.bincount(draw(EVERY_SPACE["discrete"], 50_000) + 2, minlength=5)
    assert torch.all((counts - 10_000).abs() < 5 * (10_000 * 0.8) ** 0.5)


def test_integers_reach_both_bounds():
    drawn = draw(EVERY_SPACE["integers"])
    assert (drawn.min(), drawn.max()) == (-3, 4)


def test_texts_have_every_length_that_is_allowed():
    lengths = (draw(EVERY_SPACE["text"]) > 0).sum(1)
    assert sorted(set(lengths.tolist())) == [2, 3, 4, 5]


def test_bounded_boxes_are_uniform():
    drawn = draw(EVERY_SPACE["vector"], 50_000)
    assert torch.allclose(drawn.mean(0), torch.full((2,), 0.25), atol=0.03)
    assert torch.allclose(drawn.std(0), torch.full((2,), 3.5 / 12**0.5), atol=0.03)


def test_another_seed_draws_other_actions():
    space = EVERY_SPACE["vector"]
    assert torch.equal(draw(space, seed=1), draw(space, seed=1))
    assert not torch.equal(draw(space, seed=1), draw(space, seed=2))


def test_it_comes_back_from_its_checkpoint(tmp_path):
    agent = RandomAgent(Config(), Interface.of(TwoCells()), torch.device("cpu"))
    agent.save(tmp_path)
    loaded = RandomAgent.load(tmp_path, torch.device("cpu"))
    assert loaded.interface == agent.interface


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(DamagedFileError, match=r"interface\.json"):
        RandomAgent.load(tmp_path, torch.device("cpu"))
