"""The policy beside a context holds every law, for every space that agents meet."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.agent import Interface
from icrl.errors import SpaceError
from icrl.testing import PolicyContract
from icrl.timestep import TimeStep
from icrl_cadm.config import CaDMConfig
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.learning import ModelFreeAgent

CPU = torch.device("cpu")
NUMBERS = spaces.Box(-np.inf, np.inf, (3,), np.float32)
FORCES = spaces.Box(np.float32([-2, 0]), np.float32([2, 1]))
SMALL_MODEL = CaDMConfig(context_size=5, encoder=(7,), hidden=(11, 11))


def new_agent(
    observation_space: spaces.Space, action_space: spaces.Space, device=CPU, **settings
) -> ModelFreeAgent:
    """An agent of random weights that are large enough to tell contexts apart."""
    interface = Interface(observation_space, action_space, 13, "test/Any", {})
    given = {"past": 3, "context_size": 5, "encoder": (7,), "hidden": (11,)}
    config = ModelFreeConfig(**given | settings, dynamics=SMALL_MODEL)
    agent = ModelFreeAgent(config, interface, device)
    with torch.no_grad():
        agent.actor.parts[2].weight.mul_(300)
    return agent


class ContextContract(PolicyContract):
    memory = "episode"
    num_steps = 11
    context = "stacked"
    argmax = False

    def make_policy(self, device):
        agent = new_agent(self.observation_space, self.action_space, device, context=self.context)
        return agent.policy(argmax=self.argmax)


# Contexts.


class TestStacked(ContextContract):
    observation_space = NUMBERS
    action_space = FORCES


class TestStackedByArgmax(TestStacked):
    argmax = True


class TestProbabilistic(TestStacked):
    context = "probabilistic"


class TestProbabilisticByArgmax(TestProbabilistic):
    argmax = True


class TestCaDM(TestStacked):
    context = "cadm"


class TestProbed(TestStacked):
    context = "probed"


class TestProbedByArgmax(TestProbed):
    argmax = True


class TestNone(TestStacked):
    context = "none"


# Spaces.


class TestChoices(ContextContract):
    observation_space = spaces.Discrete(7, start=-2)
    action_space = spaces.Discrete(5, start=2)
    context = "probed"


class TestFactors(ContextContract):
    observation_space = spaces.MultiBinary(5)
    action_space = spaces.MultiDiscrete([2, 3], start=[1, -1])
    context = "cadm"


class TestBits(ContextContract):
    observation_space = spaces.Tuple((spaces.Discrete(11), spaces.Discrete(2, start=1)))
    action_space = spaces.MultiBinary(3)
    context = "probabilistic"


class TestMission(ContextContract):
    observation_space = spaces.Dict(
        direction=spaces.Discrete(4),
        image=spaces.Box(0, 255, (7, 7, 3), np.uint8),
        mission=spaces.Text(11, charset="abc "),
    )
    action_space = spaces.Discrete(3)
    num_steps = 5


class TestImages(ContextContract):
    observation_space = spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = spaces.Discrete(3)
    num_steps = 5


# How it acts.


def first(rows: int, action_space: spaces.Space) -> TimeStep:
    return TimeStep.first(torch.ones(rows, 3), action_space)


def drawn(agent: ModelFreeAgent, *, argmax: bool = False, rows: int = 20_011) -> torch.Tensor:
    """What equal rows do at an episode's opening."""
    policy = agent.policy(argmax=argmax)
    timestep = first(rows, agent.interface.action_space)
    context = policy.initial_context(rows)
    return policy.act(timestep, context, torch.Generator().manual_seed(0))[0]


def outputs(agent: ModelFreeAgent) -> torch.Tensor:
    """What the actor gives out there."""
    policy, timestep = agent.policy(), first(1, agent.interface.action_space)
    past = policy.remembered(timestep, policy.initial_context(1), torch.Generator())
    with torch.no_grad():
        return policy.actor(agent._memory(CPU).shown(past))[0]


def test_choices_are_drawn_by_the_actors_probabilities():
    """Within five standard errors."""
    agent = new_agent(NUMBERS, spaces.Discrete(5), context="stacked")
    expected = outputs(agent).softmax(-1)
    frequencies = torch.bincount(drawn(agent), minlength=5) / 20_011
    error = (expected * (1 - expected) / 20_011).sqrt()
    assert ((frequencies - expected).abs() < 5 * error).all()
    assert (expected - 0.2).abs().max() > 0.1  # not uniform


def test_forces_are_drawn_around_the_actors_mean_and_cut_at_the_bounds():
    """A control u in [-1, 1] is the force 2 u of the first, and (u + 1) / 2 of the second."""
    agent = new_agent(NUMBERS, FORCES, context="stacked")
    with torch.no_grad():
        agent.actor.parts[2].weight.zero_()
        agent.actor.parts[2].bias.copy_(torch.tensor([0.25, 3.0]))
        agent.actor.log_std.fill_(np.log(0.1))
    forces = drawn(agent)
    assert forces[:, 0].mean() == pytest.approx(0.5, abs=5 * 0.2 / 20_011**0.5)
    assert forces[:, 0].std() == pytest.approx(0.2, rel=0.05)
    assert (forces[:, 1] == 1).all()


def test_argmax_takes_the_likeliest():
    agent = new_agent(NUMBERS, spaces.Discrete(5), context="stacked")
    assert drawn(agent, argmax=True, rows=7).tolist() == [int(outputs(agent).argmax())] * 7


def test_probes_are_drawn_uniformly_also_by_argmax():
    agent = new_agent(NUMBERS, spaces.Discrete(5), context="probed")
    frequencies = torch.bincount(drawn(agent, argmax=True), minlength=5) / 20_011
    assert (frequencies - 0.2).abs().max() < 5 * (0.16 / 20_011) ** 0.5


def test_equal_rows_with_contexts_of_their_own_act_differently():
    """A probabilistic context is drawn at the opening; by argmax it is the mean."""
    agent = new_agent(NUMBERS, FORCES, context="probabilistic")
    with torch.no_grad():
        agent.actor.log_std.fill_(-20)
        agent.actor.parts[2].weight.div_(300)
    assert len(drawn(agent, rows=7).unique(dim=0)) == 7
    means = drawn(agent, rows=7, argmax=True)
    torch.testing.assert_close(means, means[:1].expand(7, 2))


@pytest.mark.parametrize("kind", ["stacked", "probabilistic", "cadm", "probed"])
def test_what_happened_before_shows_in_what_is_done(kind):
    """Two rows in one state now, which came from different ones three steps ago."""
    agent = new_agent(NUMBERS, FORCES, context=kind)
    policy = agent.policy(argmax=True)
    context, generator = policy.initial_context(2), torch.Generator().manual_seed(0)
    timestep = first(2, FORCES)
    _, context = policy.act(timestep, context, generator)
    for state in (torch.tensor([[0.0] * 3, [5.0] * 3]), *[torch.ones(2, 3)] * 3):
        timestep = TimeStep(
            state,
            torch.zeros(2, 2),
            torch.zeros(2),
            state,
            torch.zeros(2, dtype=torch.bool),
            torch.zeros(2, dtype=torch.bool),
        )
        actions, context = policy.act(timestep, context, generator)
        if state[0, 0] == 1 and kind != "probed":
            break
    assert not torch.allclose(*(agent.actor(agent._memory(CPU).shown(context)).unbind(0)))
    assert actions.shape == (2, 2)


def test_a_policy_is_a_copy_that_later_learning_does_not_change():
    agent = new_agent(NUMBERS, FORCES, context="cadm")
    policy = agent.policy()
    with torch.no_grad():
        agent.actor.parts[2].weight.zero_()
        for weight in agent.dynamics.model.parameters():
            weight.zero_()
    assert policy.actor.parts[2].weight.any()
    assert policy._memory.clues._model.networks.encoder.perceptron.layers[0].weight.any()


@pytest.mark.parametrize(
    "space",
    [spaces.Text(5), spaces.Box(-np.inf, np.inf, (2,), np.float32)],
    ids=["text", "unbounded"],
)
def test_an_action_space_in_which_no_learner_acts_is_refused(space):
    with pytest.raises(SpaceError, match="Served: Discrete, MultiDiscrete, MultiBinary, and Box"):
        new_agent(spaces.Discrete(2), space, context="stacked")
