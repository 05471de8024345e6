"""Q-learning within a trial: its contract, two updates by hand, and what it refuses."""

import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from icrl.agent import Interface
from icrl.errors import ConfigError, SpaceError
from icrl.evaluation import evaluate
from icrl.statistics import learns_in_context
from icrl.testing import PolicyContract, TwoCells
from icrl.timestep import TimeStep
from icrl_classic.q_learning import QLearningAgent
from icrl_classic.tabular_config import QLearningConfig

CPU = torch.device("cpu")
WORLD = Interface(Discrete(2), Discrete(2), 3, "test/TwoStates", {})


def policy_of(config, interface=WORLD, device=CPU):
    return QLearningAgent(config, interface, device).policy()


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


def learned(config, life):
    """The table after a life that began in state 0."""
    policy, generator = policy_of(config), torch.Generator().manual_seed(0)
    context = policy.initial_context(1)
    for timestep in (TimeStep.first(torch.tensor([0]), Discrete(2)), *life):
        _, context = policy.act(timestep, context, generator)
    return context


class TestQLearning(PolicyContract):
    observation_space = Discrete(5)
    action_space = Discrete(3, start=1)

    def make_policy(self, device):
        interface = Interface(self.observation_space, self.action_space, 7, "test/World", {})
        return policy_of(QLearningConfig(), interface, device)


class TestQLearningOfSeveralNumbers(TestQLearning):
    observation_space = MultiDiscrete([2, 3])
    action_space = MultiDiscrete([2, 2])


# Stories


def test_the_table_is_what_comes_out_by_hand():
    config = QLearningConfig(learning_rate=0.5, discount=0.8, initial_value=1.0)
    life = [told(1, 3.0, 1), told(0, 2.0, 0), told(1, 5.0, 1, opens=0)]
    # 0.5 * (1 + 3 + 0.8 * 1) = 2.4; 0.5 * (1 + 2 + 0.8 * 2.4) = 2.46;
    # the horizon is no end, so 0.5 * (2.4 + 5 + 0.8 * 2.46) = 4.684
    expected = torch.tensor([[[1.0, 4.684], [2.46, 1.0]]])
    torch.testing.assert_close(learned(config, life).values, expected)


def test_nothing_is_expected_after_the_end():
    config = QLearningConfig(learning_rate=0.5, discount=0.8, initial_value=1.0)
    table = learned(config, [told(1, 3.0, 1, terminated=True, opens=0)])
    assert table.values[0].tolist() == [[1.0, 2.0], [1.0, 1.0]]


def test_random_steps_grow_rarer_from_episode_to_episode():
    config = QLearningConfig(epsilon=0.8, epsilon_decay=0.5)
    life = [told(1, 0.0, 1), told(1, 0.0, 1, opens=0), told(0, 0.0, 0), told(0, 0.0, 0, opens=0)]
    chances = [learned(config, life[:steps]).epsilon.item() for steps in range(5)]
    assert chances == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2])


def test_optimism_tries_every_action():
    config = QLearningConfig(initial_value=10.0, epsilon=0.0)
    policy, generator = policy_of(config), torch.Generator().manual_seed(0)
    timestep, context = TimeStep.first(torch.zeros(3).long(), Discrete(2)), None
    context, actions = policy.initial_context(3), []
    for _ in range(2):
        action, context = policy.act(timestep, context, generator)
        actions.append(action)
        timestep = TimeStep(
            *(timestep.observation, action, torch.zeros(3), timestep.observation),
            terminated=torch.zeros(3, dtype=torch.bool),
            episode_start=torch.zeros(3, dtype=torch.bool),
        )
    assert (actions[0] != actions[1]).all()


def test_it_learns_in_context():
    family = TwoCells()
    tasks = family.sample_tasks(4, split="test", seed=0).repeat(25)
    policy = policy_of(QLearningConfig(), Interface.of(family))
    result = evaluate(policy, family.vector_env(tasks), 24, seed=3)
    assert learns_in_context(result.returns).p_value < 0.001


# Refusals


def test_states_must_be_finite():
    with pytest.raises(SpaceError, match="table of states"):
        policy_of(QLearningConfig(), Interface(Box(0, 1, (2,)), Discrete(2), 3, "test/Box", {}))


def test_a_table_that_is_too_large_is_refused():
    interface = Interface(MultiDiscrete([1000, 1000]), Discrete(2), 3, "test/Large", {})
    with pytest.raises(SpaceError, match=r"1,000,000 states and 2 actions"):
        policy_of(QLearningConfig(), interface)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (QLearningConfig(learning_rate=0.0), "learning_rate is 0.0"),
        (QLearningConfig(discount=1.5), "discount is 1.5"),
        (QLearningConfig(epsilon=-0.1), "epsilon is -0.1"),
        (QLearningConfig(epsilon_decay=2.0), "epsilon_decay is 2.0"),
    ],
)
def test_settings_out_of_range_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        config.adapted(WORLD)
