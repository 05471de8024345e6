"""LinUCB: its contract in both models, three pulls by hand, and what it refuses."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from icrl.agent import Interface
from icrl.errors import ConfigError, SpaceError
from icrl.testing import PolicyContract, random_trial
from icrl.timestep import TimeStep
from icrl_classic.config import LinUCBConfig
from icrl_classic.linucb import LinUCBAgent

CPU = torch.device("cpu")


def policy_of(space, num_arms, device=CPU, **settings):
    interface = Interface(space, Discrete(num_arms), 7, "test/Features", {})
    return LinUCBAgent(LinUCBConfig(**settings), interface, device).policy()


class TestFeaturesOfArms(PolicyContract):
    observation_space = Box(-3, 3, (3, 2))
    action_space = Discrete(3)

    def make_policy(self, device):
        return policy_of(self.observation_space, 3, device)


class TestContext(TestFeaturesOfArms):
    observation_space = Box(-3, 3, (5,))


def test_three_pulls_by_hand():
    """Features (1, 0) and (0, 1) at every pull; ridge 1, alpha 1.

    told            A            b        bounds of arms 0 and 1
    nothing         diag(1, 1)   (0, 0)   1                      1
    0 paid 1        diag(2, 1)   (1, 0)   1/2 + sqrt(1/2) = 1.2  1
    0 paid -1       diag(3, 1)   (0, 0)   sqrt(1/3) = 0.6        1
    """
    policy = policy_of(Box(-1, 1, (2, 2)), 2)
    generator, context = torch.Generator(), policy.initial_context(1)
    features, never = torch.eye(2).unsqueeze(0), torch.zeros(1, dtype=torch.bool)
    timestep, pulled = TimeStep.first(features, Discrete(2)), []
    for reward in (1.0, -1.0, 0.0):
        action, context = policy.act(timestep, context, generator)
        pulled.append(action.item())
        timestep = TimeStep(features, action, torch.tensor([reward]), features, never, never)
    assert pulled == [0, 0, 1]
    torch.testing.assert_close(context.inverse[0, 0], torch.diag(torch.tensor([1 / 3, 1.0])))
    assert context.weighted.abs().max() == 0


def test_each_arm_has_a_regression_of_its_own_where_a_context_is_shown():
    """Contexts 1 throughout, ridge 1, alpha 0: arm 0 paid 4, so its weight is 4 / 2; arm 1 none."""
    policy = policy_of(Box(-1, 1, (1,)), 2, alpha=0.0)
    generator, context = torch.Generator(), policy.initial_context(1)
    seen, never = torch.ones(1, 1), torch.zeros(1, dtype=torch.bool)
    _, context = policy.act(TimeStep.first(seen, Discrete(2)), context, generator)
    told = TimeStep(seen, torch.tensor([0]), torch.tensor([4.0]), seen, never, never)
    _, context = policy.act(told, context, generator)
    assert (context.inverse @ context.weighted.unsqueeze(-1)).flatten().tolist() == [2.0, 0.0]


@pytest.mark.parametrize("shape", [(3, 2), (5,)])
def test_the_inverse_stays_the_inverse(shape):
    """After 37 pulls: A is the ridge plus the sum of x xᵀ, for each regression."""
    policy = policy_of(Box(-3, 3, shape), 3, ridge=0.5)
    trial = random_trial(Box(-3, 3, shape), Discrete(3), 7, 38, torch.Generator().manual_seed(0))
    context, width = policy.initial_context(7), shape[-1]
    shared = len(shape) == 2
    expected = 0.5 * torch.eye(width).repeat(7, 1 if shared else 3, 1, 1)
    for before, after in zip([None, *trial], trial, strict=False):
        if before is not None:
            for row, arm in enumerate(after.action.tolist()):
                x = before.observation[row, arm] if shared else before.observation[row]
                expected[row, 0 if shared else arm] += x.outer(x)
        _, context = policy.act(after, context, torch.Generator())
    torch.testing.assert_close(context.inverse, expected.inverse(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "space",
    [Discrete(3), Box(-1, 1, (2, 3)), Box(-1, 1, (2, 3, 4)), Box(0, 255, (5, 2), np.uint8)],
)
def test_observations_that_are_no_features_are_refused(space):
    with pytest.raises(SpaceError, match=r"a Box \[5, features\].* test/Features has"):
        policy_of(space, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -1.0}, "alpha is -1.0; it must not be negative"),
        ({"ridge": 0.0}, "ridge is 0.0; it must be positive"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        policy_of(Box(-1, 1, (2,)), 5, **settings)
