"""The linked policy holds every law, for every space that agents meet, sampled and argmax."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.agent import Interface
from icrl.errors import SpaceError
from icrl.testing import PolicyContract
from icrl.timestep import TimeStep
from icrl_leep.config import LEEPConfig
from icrl_leep.learning import LEEPAgent

CPU = torch.device("cpu")


def new_agent(
    observation_space: spaces.Space, action_space: spaces.Space, device=CPU, **settings
) -> LEEPAgent:
    """Members of random weights, whose actors differ from each other and from chance."""
    interface = Interface(observation_space, action_space, 5, "test/Any", {})
    config = LEEPConfig(
        **{"members": 3, "num_envs": 6, "minibatches": 1, "hidden": (11,), "channels": (2, 3)}
        | settings
    )
    agent = LEEPAgent(config, interface, device)
    with torch.no_grad():
        agent.members.networks.actor.last.weight.mul_(100)
    return agent


class LinkedContract(PolicyContract):
    memory = "none"
    num_steps = 7
    settings: ClassVar[dict[str, object]] = {}
    argmax = False

    def make_policy(self, device):
        agent = new_agent(self.observation_space, self.action_space, device, **self.settings)
        return agent.policy(argmax=self.argmax)


# Actions.


class TestNumbers(LinkedContract):
    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = spaces.Discrete(5)


class TestNumbersByArgmax(TestNumbers):
    argmax = True


class TestNumbersByAverage(TestNumbers):
    settings: ClassVar = {"link": "average"}


class TestCells(LinkedContract):
    observation_space = spaces.Discrete(7, start=-2)
    action_space = spaces.Discrete(3, start=2)


class TestJointActions(LinkedContract):
    observation_space = spaces.Box(-1.0, 2.0, (3,), np.float64)
    action_space = spaces.MultiDiscrete([2, 3], start=[1, -1])


class TestJointActionsByArgmax(TestJointActions):
    argmax = True


class TestFactors(TestJointActions):
    settings: ClassVar = {"joint_choices": 5}


class TestFactorsByArgmax(TestFactors):
    argmax = True


class TestBits(LinkedContract):
    observation_space = spaces.MultiBinary(5)
    action_space = spaces.MultiBinary(3)


class TestForces(LinkedContract):
    observation_space = spaces.Box(-1.0, 1.0, (3,), np.float32)
    action_space = spaces.Box(np.float32([-2, 0]), np.float32([2, 1]))


class TestForcesByArgmax(TestForces):
    argmax = True


class TestForcesByAverage(TestForces):
    settings: ClassVar = {"link": "average"}


# Observations.


class TestImages(LinkedContract):
    observation_space = spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = spaces.Discrete(5)
    num_steps = 5


class TestImagesByArgmax(TestImages):
    argmax = True


class TestMission(LinkedContract):
    observation_space = spaces.Dict(
        direction=spaces.Discrete(4),
        image=spaces.Box(0, 255, (7, 7, 3), np.uint8),
        mission=spaces.Text(11, charset="abc "),
    )
    action_space = spaces.Discrete(3)


class TestImageBesideNumbers(LinkedContract):
    observation_space = spaces.Dict(
        camera=spaces.Box(0, 255, (37, 41, 3), np.uint8),
        speed=spaces.Box(-np.inf, np.inf, (2,), np.float32),
    )
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
    num_steps = 5


class TestCards(LinkedContract):
    observation_space = spaces.Tuple((spaces.Discrete(11), spaces.Discrete(2, start=1)))
    action_space = spaces.Discrete(2)


# How it acts.


def timestep(rows: int) -> TimeStep:
    return TimeStep.first(torch.ones(rows, 3), spaces.Discrete(5))


@pytest.mark.parametrize("link", ["max", "average"])
def test_it_draws_from_what_the_members_form_together(link):
    """Frequencies of 20,011 rows beside max_j π_j / Σ, or Σ_j π_j / n, within five errors."""
    policy = new_agent(TestNumbers.observation_space, spaces.Discrete(5), link=link).policy()
    outputs = policy.outputs(torch.ones(1, 3))[:, 0]
    assert outputs.shape == (3, 5)
    members = outputs.softmax(-1)
    expected, other = members.amax(0) / members.amax(0).sum(), members.mean(0)
    if link == "average":
        expected, other = other, expected
    action, _ = policy.act(timestep(20_011), None, torch.Generator().manual_seed(0))
    frequencies = torch.bincount(action, minlength=5) / len(action)
    error = (expected * (1 - expected) / len(action)).sqrt()
    assert ((frequencies - expected).abs() < 5 * error).all()
    assert ((frequencies - other).abs() > 5 * error).any()  # the links do differ


def test_argmax_takes_the_likeliest_of_these():
    agent = new_agent(TestNumbers.observation_space, spaces.Discrete(5))
    expected = agent.policy().outputs(torch.ones(1, 3))[:, 0].softmax(-1).amax(0).argmax()
    for policy in (
        agent.policy(argmax=True),
        new_agent(TestNumbers.observation_space, spaces.Discrete(5), decoding="argmax").policy(),
    ):
        action, _ = policy.act(timestep(7), None, torch.Generator())
        assert action.tolist() == [int(expected)] * 7


def test_members_see_an_image_as_they_saw_it_in_training():
    """SB3 brings the channels to the front: the policy does the same to what it gets."""
    agent = new_agent(TestImages.observation_space, spaces.Discrete(5))
    assert agent.members.observation_space.shape == (3, 64, 64)
    image = torch.randint(256, (2, 64, 64, 3), generator=torch.Generator().manual_seed(0))
    image = image.to(torch.uint8)
    outputs = agent.policy().outputs(image)
    expected = agent.members.linked_outputs(image.permute(0, 3, 1, 2))
    torch.testing.assert_close(outputs, expected)
    assert not torch.allclose(outputs[:, 0], outputs[:, 1])


def test_a_policy_is_a_copy_that_later_learning_does_not_change():
    agent = new_agent(TestNumbers.observation_space, spaces.Discrete(5))
    policy = agent.policy()
    before = policy.outputs(torch.ones(1, 3))
    with torch.no_grad():
        agent.members.networks.actor.last.weight.zero_()
    assert torch.equal(policy.outputs(torch.ones(1, 3)), before)
    assert not any(weight.requires_grad for weight in policy.members.parameters())
    assert all(weight.requires_grad for weight in agent.members.parameters())


@pytest.mark.parametrize(
    ("settings", "links"),
    [({}, "the joint action of 6 values"), ({"joint_choices": 5}, "each of 2 factors")],
)
def test_an_agent_says_what_it_links(settings, links):
    agent = new_agent(TestNumbers.observation_space, spaces.MultiDiscrete([2, 3]), **settings)
    assert agent.links.startswith(links)


@pytest.mark.parametrize(
    "space",
    [spaces.Text(5), spaces.Box(-np.inf, np.inf, (2,), np.float32)],
    ids=["text", "unbounded"],
)
def test_an_action_space_in_which_no_learner_acts_is_refused(space):
    with pytest.raises(SpaceError, match="Served: Discrete, MultiDiscrete, MultiBinary, and Box"):
        new_agent(spaces.Discrete(2), space)
