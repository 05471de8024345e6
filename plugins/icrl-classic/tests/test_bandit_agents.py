"""The bandit agents: their contract, what they pull after a few pulls, and what they refuse."""

import math

import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from icrl.agent import Interface
from icrl.errors import ConfigError, DamagedFileError, SpaceError
from icrl.testing import PolicyContract
from icrl.timestep import TimeStep
from icrl_classic.config import (
    EpsilonGreedyConfig,
    GittinsConfig,
    GreedyConfig,
    OptimisticThompsonConfig,
    ThompsonConfig,
    UCB1Config,
)
from icrl_classic.gittins import GittinsAgent
from icrl_classic.greedy import EpsilonGreedyAgent, GreedyAgent
from icrl_classic.thompson import OptimisticThompsonAgent, ThompsonAgent
from icrl_classic.ucb1 import UCB1Agent, upper_bound

CPU = torch.device("cpu")
ENVS = 20_011
NORMAL = {"rewards": "normal", "prior_mean": 0.0, "prior_deviation": 1.0, "noise_deviation": 1.0}


def bandit(num_arms, horizon=7):
    return Interface(Discrete(1), Discrete(num_arms), horizon, "test/Bandit", {})


def pulls_after(agent, config, told, *, num_arms=2, envs=1, horizon=7):
    """The arms [envs] that are pulled next by environments that were all told (arm, reward)s."""
    policy = agent(config, bandit(num_arms, horizon), CPU).policy()
    generator = torch.Generator().manual_seed(0)
    nothing = torch.zeros(envs, dtype=torch.int64)
    never = torch.zeros(envs, dtype=torch.bool)
    first = TimeStep.first(nothing, Discrete(num_arms))
    action, context = policy.act(first, policy.initial_context(envs), generator)
    for arm, reward in told:
        pulled, paid = torch.full_like(nothing, arm), torch.full((envs,), float(reward))
        step = TimeStep(nothing, pulled, paid, nothing, never, never)
        action, context = policy.act(step, context, generator)
    return action


def share(agent, config, told, *, of, num_arms=2):
    """The share of environments that pull an arm next."""
    pulled = pulls_after(agent, config, told, num_arms=num_arms, envs=ENVS)
    return (pulled == of).double().mean().item()


def near(chance):
    """A share of `ENVS` draws, within 4.5 standard deviations of its chance."""
    return pytest.approx(chance, abs=4.5 * (chance * (1 - chance) / ENVS) ** 0.5)


# Contracts


class BanditContract(PolicyContract):
    """Three arms, numbered from 2 on."""

    observation_space = Discrete(1)
    action_space = Discrete(3, start=2)

    def make_policy(self, device):
        agent, config = self.settings()
        interface = Interface(self.observation_space, self.action_space, 11, "test/Bandit", {})
        return agent(config, interface, device).policy()


class TestGreedy(BanditContract):
    def settings(self):
        return GreedyAgent, GreedyConfig(ties="random")


class TestEpsilonGreedy(BanditContract):
    def settings(self):
        return EpsilonGreedyAgent, EpsilonGreedyConfig(epsilon=0.2)


class TestUCB1(BanditContract):
    def settings(self):
        return UCB1Agent, UCB1Config()


class TestThompson(BanditContract):
    def settings(self):
        return ThompsonAgent, ThompsonConfig()


class TestThompsonOfNormalRewards(BanditContract):
    def settings(self):
        return ThompsonAgent, ThompsonConfig(**NORMAL)


class TestOptimisticThompson(BanditContract):
    def settings(self):
        return OptimisticThompsonAgent, OptimisticThompsonConfig()


class TestLikeliestDraw(BanditContract):
    def settings(self):
        return OptimisticThompsonAgent, OptimisticThompsonConfig(rule="likeliest", draws=3)


class TestGittins(BanditContract):
    def settings(self):
        return GittinsAgent, GittinsConfig()


class TestArmsOfTwoNumbers(BanditContract):
    observation_space = MultiDiscrete([1, 1])
    action_space = MultiDiscrete([2, 3])

    def settings(self):
        return UCB1Agent, UCB1Config()


# Stories
#
# Every arm begins with one success and one failure: a mean of 1/2.
#
#   pulled, paid      means of arms 0, 1, 2
#                     1/2  1/2  1/2
#   0, nothing        1/3  1/2  1/2
#   1, 1              1/3  2/3  1/2
#   1, nothing        1/3  2/4  1/2
#   1, nothing        1/3  2/5  1/2

LIFE = [(0, 0), (1, 1), (1, 0), (1, 0)]


@pytest.mark.parametrize(("length", "arm"), list(enumerate([0, 1, 1, 1, 2])))
def test_greedy_pulls_the_first_of_the_arms_that_look_best(length, arm):
    assert pulls_after(GreedyAgent, GreedyConfig(), LIFE[:length], num_arms=3) == arm


def test_greedy_breaks_ties_at_random_if_told_to():
    config = GreedyConfig(ties="random")
    pulled = [share(GreedyAgent, config, LIFE[:3], of=arm, num_arms=3) for arm in range(3)]
    assert pulled == [0, near(1 / 2), near(1 / 2)]


def test_what_a_trial_opens_with_is_no_pull():
    policy = GreedyAgent(GreedyConfig(), bandit(2), CPU).policy()
    generator = torch.Generator().manual_seed(0)
    first = TimeStep.first(torch.zeros(5, dtype=torch.int64), Discrete(2))
    _, seen = policy.act(first, policy.initial_context(5), generator)
    assert seen.pulls.sum() == 0


def test_greedy_weighs_normal_rewards_with_the_prior():
    """The prior has mean 0.6 and weighs one pull: 0.5 makes (0.6 + 0.5) / 2 = 0.55 of it, which is
    less than the other arm's 0.6, and 0.7 makes 0.65.
    """
    config = GreedyConfig(**{**NORMAL, "prior_mean": 0.6})
    assert pulls_after(GreedyAgent, config, [(0, 0.5)]) == 1
    assert pulls_after(GreedyAgent, config, [(0, 0.7)]) == 0


def test_epsilon_greedy_leaves_the_best_arm_now_and_then():
    """Any of three arms in 0.3 of the steps: the best one in 0.7 + 0.1."""
    config = EpsilonGreedyConfig(epsilon=0.3)
    assert share(EpsilonGreedyAgent, config, LIFE[:2], of=1, num_arms=3) == near(0.8)
    assert share(EpsilonGreedyAgent, config, LIFE[:2], of=2, num_arms=3) == near(0.1)


def test_an_upper_bound_is_the_mean_and_a_width_that_falls_with_the_pulls():
    """1/2 + sqrt(2 * 0.05 * ln 8 / 2) and 3/4 + sqrt(2 * 0.05 * ln 8 / 5)."""
    bound = upper_bound(torch.tensor([[0.5, 0.75]]), torch.tensor([[2.0, 5.0]]), 8, 0.05)
    torch.testing.assert_close(bound, torch.tensor([[0.82245, 0.95393]]), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("width", "arm"), [(0.05, 0), (2.0, 1)])
def test_ucb1_goes_back_to_what_it_seldom_pulled_if_its_bounds_are_wide(width, arm):
    """Means 3/4 of four pulls and 1/2 of two, at the third step: sqrt(2 c ln 3) is .33 or 2.10, of
    which a half and 0.71 are added: .92 and .73, or 1.80 and 1.98.
    """
    assert pulls_after(UCB1Agent, UCB1Config(width=width), [(0, 1), (0, 1)]) == arm


def test_thompson_pulls_an_arm_as_often_as_it_may_be_the_best():
    """Beta(2, 1) is above Beta(1, 1) with chance 2/3."""
    assert share(ThompsonAgent, ThompsonConfig(), [(0, 1)], of=0) == near(2 / 3)


def test_thompson_weighs_a_part_of_a_success_as_a_part():
    """Two halves are one success and one failure: Beta(2, 2), as likely above as below 1/2."""
    assert share(ThompsonAgent, ThompsonConfig(), [(0, 0.5), (0, 0.5)], of=0) == near(1 / 2)


@pytest.mark.parametrize("prior", [0.5, 1e-3])
def test_thompson_takes_a_prior_of_less_than_a_pull(prior):
    """One success and one failure of arm 0 leave it as likely above as below arm 1, of which
    nothing was seen, and which is thought to pay always or never the smaller the prior.
    """
    config = ThompsonConfig(successes=prior, failures=prior)
    assert share(ThompsonAgent, config, [(0, 1), (0, 0)], of=0) == near(1 / 2)


def test_thompson_of_normal_rewards_knows_how_sure_it_is():
    """Mean 1 and variance 1/2, against mean 0 and variance 1: Phi(1 / sqrt(1.5))."""
    assert share(ThompsonAgent, ThompsonConfig(**NORMAL), [(0, 2.0)], of=0) == near(0.7929)


def test_optimistic_thompson_never_counts_an_arm_for_less_than_its_mean():
    """X is Beta(2, 1) with mean 2/3, Y is uniform. Arm 0 wins where Y < 2/3, and of the rest where
    X > Y: 2/3 + the integral of 1 - y^2 from 2/3 to 1 = 2/3 + 8/81.
    """
    config = OptimisticThompsonConfig()
    assert share(OptimisticThompsonAgent, config, [(0, 1)], of=0) == near(62 / 81)


@pytest.mark.parametrize(("draws", "chance"), [(1, 2 / 3), (3, 6 / 7)])
def test_the_likeliest_of_several_draws_is_believed(draws, chance):
    """The density of Beta(2, 1) x Beta(1, 1) is 2x, so the draw with the largest x is believed. The
    largest of n has the mean 2n / (2n + 1), which is its chance to be above a uniform number.
    """
    config = OptimisticThompsonConfig(rule="likeliest", draws=draws)
    assert share(OptimisticThompsonAgent, config, [(0, 1)], of=0) == near(chance)


def test_the_likeliest_of_many_normal_draws_is_near_the_mean():
    config = OptimisticThompsonConfig(rule="likeliest", draws=300, **NORMAL)
    assert share(OptimisticThompsonAgent, config, [(0, 2.0)], of=0) > 0.98


# An agent on disk, and refusals


def test_an_agent_is_its_settings(tmp_path):
    agent = UCB1Agent(UCB1Config(width=0.3), bandit(5), CPU)
    agent.save(tmp_path)
    loaded = UCB1Agent.load(tmp_path, CPU)
    assert (loaded.config, loaded.interface) == (agent.config, agent.interface)
    assert {path.name for path in tmp_path.iterdir()} == {"config.toml", "interface.json"}


def test_a_damaged_checkpoint_is_named(tmp_path):
    UCB1Agent(UCB1Config(), bandit(5), CPU).save(tmp_path)
    (tmp_path / "interface.json").write_text("{")
    with pytest.raises(DamagedFileError, match=r"interface\.json"):
        UCB1Agent.load(tmp_path, CPU)


@pytest.mark.parametrize("space", [Discrete(3), Box(-1, 1, (2,)), MultiDiscrete([2, 1])])
def test_more_than_one_state_is_refused(space):
    interface = Interface(space, Discrete(2), 5, "test/World", {})
    with pytest.raises(SpaceError, match="plays bandits, which have one state, and test/World"):
        ThompsonAgent(ThompsonConfig(), interface, CPU)


def test_continuous_arms_are_refused():
    interface = Interface(Discrete(1), Box(-1, 1, (2,)), 5, "test/World", {})
    with pytest.raises(SpaceError, match="finitely many actions, and test/World"):
        GittinsAgent(GittinsConfig(), interface, CPU)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (GreedyConfig(failures=0.0), "failures is 0.0; it must be positive"),
        (ThompsonConfig(noise_deviation=-1.0), "noise_deviation is -1.0; it must be positive"),
        (EpsilonGreedyConfig(epsilon=1.5), r"epsilon is 1.5; it must be in \[0, 1\]"),
        (UCB1Config(width=-0.1), "width is -0.1; it must not be negative"),
        (UCB1Config(width=math.nan), "width is nan; it must not be negative"),
        (GreedyConfig(successes=math.nan), "successes is nan; it must be positive"),
        (OptimisticThompsonConfig(draws=0), "draws is 0; it must be at least 1"),
        (GittinsConfig(discount=1.0), r"discount is 1.0; it must be in \(0, 1\)"),
        (GittinsConfig(successes=0), "successes is 0; it must be positive"),
    ],
)
def test_settings_out_of_range_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        config.adapted(bandit(5))
