"""The Gittins index: published values, a second way to compute it, and what it makes one do."""

from functools import cache

import pytest
import torch
from gymnasium.spaces import Discrete

from icrl.agent import Interface
from icrl_classic.config import GittinsConfig
from icrl_classic.gittins import GittinsAgent, GittinsPolicy, gittins_indices


@pytest.mark.parametrize(
    ("discount", "won", "lost", "index"),
    [(0.9, 1, 1, 0.7029), (0.9, 2, 1, 0.8001), (0.9, 1, 2, 0.5001), (0.99, 1, 1, 0.8699)],
)
def test_the_index_is_the_published_one(discount, won, lost, index):
    """Gittins 1979 and Gittins, Glazebrook and Weber 2011, tables for the Bernoulli process."""
    pulls = won + lost - 2
    table = gittins_indices(40 if discount < 0.99 else 700, discount, 1, 1)
    assert table[pulls, won - 1] == pytest.approx(index, abs=2e-4)


@pytest.mark.parametrize(("won", "lost"), [(1, 1), (4, 2), (2, 5)])
def test_the_index_is_the_sure_reward_for_which_one_would_as_soon_leave(won, lost):
    """By bisection, with the arm's worth straight from its definition, 40 pulls ahead."""
    discount = 0.6

    def gain(sure):
        @cache
        def worth(won, lost, ahead):
            mean = won / (won + lost)
            if ahead == 0:
                return max(sure, mean) / (1 - discount)
            after = mean * (1 + discount * worth(won + 1, lost, ahead - 1))
            after += (1 - mean) * discount * worth(won, lost + 1, ahead - 1)
            return max(sure / (1 - discount), after)

        return worth(won, lost, 40) - sure / (1 - discount)

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if gain(middle) > 1e-12 else (low, middle)
    index = gittins_indices(10, discount, 1, 1)[won + lost - 2, won - 1]
    assert index == pytest.approx(low, abs=1e-3)


@pytest.mark.parametrize("discount", [0.9, 0.99])
def test_the_index_hardly_depends_on_where_the_table_ends(discount):
    near, far = gittins_indices(10, discount, 1, 1), gittins_indices(400, discount, 1, 1)
    torch.testing.assert_close(near, far[:11, :11], rtol=0, atol=1e-3)


def test_what_is_seldom_pulled_is_worth_more_than_its_mean():
    table = gittins_indices(50, 0.95, 1, 1)
    pulls, won = torch.tril_indices(51, 51).unbind(0)
    bonus = table[pulls, won] - (won + 1) / (pulls + 2)
    assert bonus.min() > 0
    assert bonus[pulls == 0] > 0.2
    assert bonus[pulls == 50].max() < 0.03


def test_the_prior_stands_for_pulls_that_were_made_before():
    once, later = gittins_indices(30, 0.9, 3, 2), gittins_indices(33, 0.9, 1, 1)
    torch.testing.assert_close(once[:5, 0], later[3:8, 2], rtol=0, atol=1e-3)


def test_the_discount_adapts_to_the_horizon():
    interface = Interface(Discrete(1), Discrete(2), 50, "test/Bandit", {})
    assert GittinsConfig().adapted(interface).discount == pytest.approx(0.98)
    assert GittinsConfig(discount=0.5).adapted(interface).discount == 0.5


def test_an_arm_pulled_more_often_than_the_table_knows_counts_for_its_mean():
    """Arm 0 paid in 3 of 5 pulls, mean 4/7; arm 1 was never pulled, index .7029."""
    interface = Interface(Discrete(1), Discrete(2), 4, "test/Bandit", {})
    policy = GittinsAgent(GittinsConfig(discount=0.9), interface, torch.device("cpu")).policy()
    assert isinstance(policy, GittinsPolicy)
    seen = policy.initial_context(2)
    seen.pulls[:, 0] = 5
    seen.paid[:, 0] = torch.tensor([3.0, 5.0])  # 4/7 and 6/7
    assert policy.choose(seen, torch.Generator()).tolist() == [1, 0]
