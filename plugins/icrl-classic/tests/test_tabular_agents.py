"""The agents that plan: their contract, what they count and conclude, and what they refuse."""

import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from icrl.agent import Interface
from icrl.errors import ConfigError, SpaceError
from icrl.evaluation import evaluate
from icrl.statistics import learns_in_context
from icrl.testing import PolicyContract, TwoCells
from icrl.timestep import TimeStep
from icrl_classic.beb import BEBAgent
from icrl_classic.config import EpsilonGreedyConfig, GreedyConfig
from icrl_classic.greedy import EpsilonGreedyAgent, GreedyAgent
from icrl_classic.psrl import OPSRLAgent, PSRLAgent
from icrl_classic.tabular import transition_mean, transition_sample
from icrl_classic.tabular_config import BEBConfig, OPSRLConfig, PSRLConfig, UCRL2Config
from icrl_classic.ucrl2 import UCRL2Agent

CPU = torch.device("cpu")
AGENTS = {
    "psrl": (PSRLAgent, PSRLConfig()),
    "opsrl": (OPSRLAgent, OPSRLConfig(samples=2)),
    "ucrl2": (UCRL2Agent, UCRL2Config()),
    "beb": (BEBAgent, BEBConfig()),
    "greedy": (GreedyAgent, GreedyConfig(ties="random")),
    "epsilon-greedy": (EpsilonGreedyAgent, EpsilonGreedyConfig(epsilon=0.1, ties="random")),
}
WORLD = Interface(Discrete(2), Discrete(2), 3, "test/TwoStates", {})


def policy_of(agent, config, interface=WORLD, device=CPU):
    return agent(config, interface, device).policy()


def told(action, reward, outcome, *, terminated=False, opens=None):
    """A timestep of one environment: what an action did, and the state that opens an episode, if
    that ended one.
    """
    return TimeStep(
        observation=torch.tensor([outcome if opens is None else opens]),
        action=torch.tensor([action]),
        reward=torch.tensor([float(reward)]),
        outcome=torch.tensor([outcome]),
        terminated=torch.tensor([terminated]),
        episode_start=torch.tensor([opens is not None]),
    )


def experience(policy, life):
    """What a policy knows and plans after it began in state 0 and was told a life."""
    context, generator = policy.initial_context(1), torch.Generator().manual_seed(0)
    for timestep in (TimeStep.first(torch.tensor([0]), Discrete(2)), *life):
        _, context = policy.act(timestep, context, generator)
    return context


def played(name):
    """The evaluation of an agent among two cells: 100 trials of 24 episodes."""
    family = TwoCells()
    agent, config = AGENTS[name]
    tasks = family.sample_tasks(4, split="test", seed=0).repeat(25)
    policy = policy_of(agent, config, Interface.of(family))
    return evaluate(policy, family.vector_env(tasks), 24, seed=3)


# Contracts


class TestPSRL(PolicyContract):
    observation_space = Discrete(5)
    action_space = Discrete(3, start=1)
    agent = "psrl"

    def make_policy(self, device):
        interface = Interface(self.observation_space, self.action_space, 7, "test/World", {})
        return policy_of(*AGENTS[self.agent], interface, device)


class TestOPSRL(TestPSRL):
    agent = "opsrl"


class TestUCRL2(TestPSRL):
    agent = "ucrl2"


class TestBEB(TestPSRL):
    agent = "beb"


class TestGreedy(TestPSRL):
    agent = "greedy"


class TestEpsilonGreedy(TestPSRL):
    agent = "epsilon-greedy"


class TestPSRLOfSeveralNumbers(TestPSRL):
    observation_space = MultiDiscrete([2, 3])
    action_space = MultiDiscrete([2, 2])


# Stories

LIFE = [
    told(1, 2.0, 1),
    told(0, 4.0, 1),
    told(0, 1.0, 1, opens=0),
    told(1, 0.0, 0),
    told(1, 7.0, 1, terminated=True, opens=0),
]
"""From 0: cross to 1, stay there twice (the horizon ends the episode), fail to cross, and cross
again, which ends the episode."""


def test_what_an_action_did_is_counted_where_it_was_taken():
    seen = experience(policy_of(PSRLAgent, PSRLConfig()), LIFE)
    assert seen.pulls.tolist() == [[0, 3, 2, 0]]
    assert seen.paid.tolist() == [[0, 9, 5, 0]]
    # The prior counts 1 for each of the two states, and nothing for the end.
    assert seen.led.tolist() == [[[1, 1, 0], [2, 2, 1], [1, 3, 0], [1, 1, 0]]]
    assert seen.episodes.tolist() == [3]


def test_the_posterior_mean_weighs_the_prior_as_one_observation():
    policy = policy_of(PSRLAgent, PSRLConfig(prior_mean=1.0))
    seen = experience(policy, LIFE)
    mean = policy.belief.mean(seen.pulls, seen.paid)
    torch.testing.assert_close(mean, torch.tensor([[1.0, 10 / 4, 6 / 3, 1.0]]))
    torch.testing.assert_close(transition_mean(seen.led)[0, 1], torch.tensor([0.4, 0.4, 0.2]))


def test_draws_of_transitions_scatter_around_the_mean_as_a_dirichlet_does():
    weights = torch.tensor([2.0, 5.0, 0.0]).expand(20_011, 3)
    draws = transition_sample(weights, torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.sum(1), torch.ones(20_011))
    # Mean a / sum and variance a b / (sum^2 (sum + 1)), here 2/7 and 10/392.
    torch.testing.assert_close(draws[:, 0].mean(), torch.tensor(2 / 7), rtol=0, atol=0.005)
    torch.testing.assert_close(draws[:, 0].var(), torch.tensor(10 / 392), rtol=0.05, atol=0)
    assert draws[:, 2].max() < 1e-30


@pytest.mark.parametrize("concentration", [0.3, 1e-4])
def test_draws_of_transitions_of_a_small_concentration_scatter_likewise(concentration):
    """Variance (1/5) (4/5) / (5 c + 1), which for a tiny c is that of a coin: one state is sure."""
    weights = torch.tensor([concentration] * 5 + [0.0]).expand(20_011, 6)
    generator = torch.Generator().manual_seed(0)
    draws = transition_sample(weights, generator, least=concentration)
    torch.testing.assert_close(draws.sum(1), torch.ones(20_011))
    torch.testing.assert_close(draws[:, 0].mean(), torch.tensor(0.2), rtol=0, atol=0.013)
    variance = torch.tensor(0.16 / (5 * concentration + 1))
    torch.testing.assert_close(draws[:, 0].var(), variance, rtol=0.05, atol=0)
    assert draws[:, 5].max() == 0


def test_only_rows_that_begin_an_episode_plan_anew():
    policy = policy_of(PSRLAgent, PSRLConfig())
    generator = torch.Generator().manual_seed(0)
    start = TimeStep.first(torch.zeros(2, dtype=torch.int64), Discrete(2))
    _, context = policy.act(start, policy.initial_context(2), generator)
    before = context.plan.clone()
    first_ends = TimeStep.first(torch.zeros(2, dtype=torch.int64), Discrete(2))
    first_ends.episode_start[1] = False
    _, context = policy.act(first_ends, context, generator)
    same = (context.plan == before).flatten(1).all(1)
    assert same.tolist() == [False, True]
    assert context.step.tolist() == [1, 2]


def test_an_episode_that_outlasts_its_plan_gets_another():
    policy = policy_of(PSRLAgent, PSRLConfig(horizon=2))
    before = experience(policy, LIFE[:1])
    after = experience(policy, LIFE[:2])
    assert (before.step.item(), after.step.item()) == (2, 1)
    assert not torch.equal(before.plan, after.plan)


def test_greedy_plans_with_the_mean():
    policy = policy_of(GreedyAgent, GreedyConfig(rewards="normal", prior_deviation=100.0))
    worth = experience(policy, [*LIFE[:2], told(0, 1.0, 1, opens=0)]).plan[0]
    # Seen: crossing paid 2, staying at 1 paid 2.5 on average; the rest is thought to pay nothing.
    expected = torch.tensor([[0.0, 2.0], [2.5, 0.0]])
    torch.testing.assert_close(worth[-1], expected, rtol=0, atol=1e-3)
    # Before the last step: to stay at 0 is thought to lead to either state, crossing to 1 in 2/3
    # of the cases, staying at 1 to stay there in 3/4.
    ahead = torch.tensor([[(2 + 2.5) / 2, (2 + 2 * 2.5) / 3], [(2 + 3 * 2.5) / 4, 2.25]])
    torch.testing.assert_close(worth[-2], expected + ahead, rtol=0, atol=1e-3)


def test_one_sample_makes_optimistic_posterior_sampling_posterior_sampling():
    one = experience(policy_of(OPSRLAgent, OPSRLConfig(samples=1)), LIFE).plan
    assert torch.equal(one, experience(policy_of(PSRLAgent, PSRLConfig()), LIFE).plan)


def test_more_samples_are_never_less_optimistic():
    one = experience(policy_of(OPSRLAgent, OPSRLConfig(samples=1)), LIFE).plan
    three = experience(policy_of(OPSRLAgent, OPSRLConfig(samples=3)), LIFE).plan
    assert (three >= one).all()
    assert (three > one).any()


def test_confidence_intervals_are_as_wide_as_the_counts_say():
    config = UCRL2Config(reward_width=1.0, transition_width=0.0, concentration=1e-6)
    none = UCRL2Config(reward_width=0.0, transition_width=0.0, concentration=1e-6)
    wide, mean = (experience(policy_of(UCRL2Agent, c), LIFE).plan[0, -1] for c in (config, none))
    # Four arms in the third episode: 4 ln(2 * 4 * (3 + 1) / 0.05), over 3 and 2 visits, or none.
    evidence = 4 * torch.tensor(2 * 4 * 4 / 0.05).log()
    counts = torch.tensor([[1.0, 3.0], [2.0, 1.0]])
    torch.testing.assert_close(wide - mean, (evidence / counts).sqrt())


def test_optimism_about_transitions_hopes_for_the_state_that_pays():
    sure = UCRL2Config(reward_width=0.0, transition_width=0.0)
    hopeful = UCRL2Config(reward_width=0.0, transition_width=10.0)
    sober, worth = (experience(policy_of(UCRL2Agent, c), LIFE).plan[0, -2] for c in (sure, hopeful))
    assert (worth > sober + 0.1).all()


def test_bonuses_shrink_with_what_is_known():
    config = BEBConfig(reward_bonus=12.0, transition_bonus=60.0)
    none = BEBConfig(reward_bonus=0.0, transition_bonus=0.0)
    with_bonus, without = (experience(policy_of(BEBAgent, c), LIFE).plan[0] for c in (config, none))
    # The last step: 12 / (1 + n), with n the visits and one for the prior.
    last = with_bonus[-1] - without[-1]
    torch.testing.assert_close(last, 12 / torch.tensor([[2.0, 5.0], [4.0, 2.0]]))
    # The one before: also 60 / (1 + m), with m the visits and one for each of two states.
    here = torch.tensor([[60 / 3, 60 / 6], [60 / 5, 60 / 3]])
    best = with_bonus[-1].amax(1) - without[-1].amax(1)
    chances = transition_mean(experience(policy_of(BEBAgent, none), LIFE).led)[0, :, :2]
    ahead = (chances @ best).view(2, 2)
    torch.testing.assert_close(with_bonus[-2] - without[-2], last + here + ahead)


def test_bonuses_are_in_units_of_a_rewards_deviation():
    config = BEBConfig(reward_bonus=12.0, prior_deviation=0.5, noise_deviation=0.5)
    none = BEBConfig(reward_bonus=0.0, prior_deviation=0.5, noise_deviation=0.5)
    last, without = (experience(policy_of(BEBAgent, c), LIFE).plan[0, -1] for c in (config, none))
    torch.testing.assert_close(last - without, 6 / torch.tensor([[2.0, 5.0], [4.0, 2.0]]))


@pytest.mark.parametrize("name", AGENTS)
def test_it_learns_in_context(name):
    result = played(name)
    assert learns_in_context(result.returns).p_value < 0.001


@pytest.mark.parametrize("name", ["psrl", "opsrl", "ucrl2", "beb"])
def test_it_finds_what_is_best(name):
    result = played(name)
    late = result.returns[:, -4:].mean(1) / result.optimal_return[result.task]
    assert late.mean() > 0.9


def test_a_saved_agent_plays_on(tmp_path):
    agent = PSRLAgent(PSRLConfig(horizon=5), WORLD, CPU)
    agent.save(tmp_path)
    again = PSRLAgent.load(tmp_path, CPU)
    assert again.config == agent.config
    plans = [experience(a.policy(), LIFE).plan for a in (agent, again)]
    assert torch.equal(*plans)


@pytest.mark.gpu
def test_plans_on_a_gpu_are_those_on_the_cpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    agent, config = AGENTS["ucrl2"]
    family = TwoCells()
    tasks = family.sample_tasks(4, split="test", seed=0)
    returns = []
    for device in ("cpu", "cuda"):
        policy = policy_of(agent, config, Interface.of(family), torch.device(device))
        env = family.vector_env(tasks.repeat(25), device=device)
        returns.append(evaluate(policy, env, 24, seed=0).returns[:, -6:].mean())
    assert abs(returns[0] - returns[1]) < 0.1


# Refusals


@pytest.mark.parametrize("name", ["psrl", "ucrl2"])
def test_states_must_be_finite(name):
    interface = Interface(Box(0, 1, (2,)), Discrete(2), 3, "test/Box", {})
    with pytest.raises(SpaceError, match=r"table of states.*test/Box"):
        policy_of(*AGENTS[name], interface)


def test_actions_must_be_finite():
    interface = Interface(Discrete(2), Box(0, 1, (2,)), 3, "test/Box", {})
    with pytest.raises(SpaceError, match=r"finitely many actions.*test/Box"):
        policy_of(*AGENTS["psrl"], interface)


@pytest.mark.parametrize("name", ["psrl", "greedy"])
def test_states_must_be_few(name):
    interface = Interface(MultiDiscrete([40, 40]), Discrete(2), 3, "test/Large", {})
    with pytest.raises(SpaceError, match=r"1,600 states.*at most 512"):
        policy_of(*AGENTS[name], interface)


@pytest.mark.parametrize("name", ["beb", "epsilon-greedy"])
def test_without_a_horizon_there_is_nothing_to_plan_for(name):
    interface = Interface(Discrete(2), Discrete(2), None, "test/Endless", {})
    with pytest.raises(ConfigError, match=r"test/Endless have no horizon.*Give horizon"):
        policy_of(*AGENTS[name], interface)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (OPSRLConfig(samples=0), "samples is 0"),
        (UCRL2Config(reward_width=-1.0), "reward_width is -1.0"),
        (UCRL2Config(failure=1.0), "failure is 1.0"),
        (BEBConfig(transition_bonus=-0.5), "transition_bonus is -0.5"),
        (PSRLConfig(concentration=0.0), "concentration is 0.0"),
        (PSRLConfig(horizon=0), "horizon is 0"),
        (GreedyConfig(horizon=-3), "horizon is -3"),
    ],
)
def test_settings_out_of_range_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        config.adapted(WORLD)
