"""The planning policy holds every law, for every space that agents meet; what it remembers."""

import gc
import threading
import weakref
from typing import ClassVar

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl import make_family
from icrl.agent import Interface
from icrl.testing import PolicyContract, random_trial
from icrl.testing.accelerator import ACCELERATOR, pretended_accelerator
from icrl.timestep import TimeStep
from icrl_cadm.config import CaDMConfig
from icrl_cadm.learning import CaDMAgent

CPU = torch.device("cpu")
SMALL = {
    "past": 3,
    "hidden": (7,),
    "encoder": (11,),
    "context_size": 2,
    "horizon": 3,
    "candidates": 13,
    "elites": 5,
    "refinements": 2,
}
NUMBERS = spaces.Box(-np.inf, np.inf, (3,), np.float32)
FORCES = spaces.Box(np.float32([-2, 0]), np.float32([2, 1]))


def new_agent(
    observation_space: spaces.Space, action_space: spaces.Space, device=CPU, **settings
) -> CaDMAgent:
    """A model of random weights, so large that what is remembered shows in the plans."""
    interface = Interface(observation_space, action_space, 5, "test/Any", {})
    agent = CaDMAgent(CaDMConfig(**SMALL | settings), interface, device)
    with torch.no_grad():
        for layer in agent.model.networks.forwards.layers:
            layer.weight.mul_(3)
    return agent


class PlanningContract(PolicyContract):
    memory = "episode"
    num_steps = 7
    settings: ClassVar[dict[str, object]] = {}

    def make_policy(self, device):
        return new_agent(
            self.observation_space, self.action_space, device, **self.settings
        ).policy()


class TestForces(PlanningContract):
    observation_space, action_space = NUMBERS, FORCES


class TestChoices(PlanningContract):
    observation_space = NUMBERS
    action_space = spaces.Discrete(3, start=2)


class TestChoicesByCrossEntropy(TestChoices):
    settings: ClassVar = {"planner": "cem"}


class TestForcesByShooting(TestForces):
    settings: ClassVar = {"planner": "shooting"}


class TestJointActions(PlanningContract):
    observation_space = spaces.Box(-1.0, 2.0, (3,), np.float64)
    action_space = spaces.MultiDiscrete([2, 3], start=[1, -1])


class TestBits(PlanningContract):
    observation_space = spaces.MultiBinary(5)
    action_space = spaces.MultiBinary(3)


class TestEnsemble(TestForces):
    settings: ClassVar = {"members": 2, "particles": 4, "probabilistic": True}


class TestWithoutContext(TestForces):
    settings: ClassVar = {"context": "none"}


class TestStacked(TestForces):
    settings: ClassVar = {"context": "stacked"}


class TestRecurrent(TestForces):
    settings: ClassVar = {"context": "recurrent"}


class TestGradient(TestForces):
    settings: ClassVar = {"context": "gradient", "adaptation_rate": 0.3}


class TestGradientInHalfPrecision(TestGradient):
    settings: ClassVar = {"context": "gradient", "precision": "bfloat16"}


class TestHalfPrecision(TestForces):
    settings: ClassVar = {"precision": "bfloat16"}


class TestImages(PlanningContract):
    observation_space = spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = spaces.Discrete(5)
    num_steps = 5


class TestMission(PlanningContract):
    observation_space = spaces.Dict(
        direction=spaces.Discrete(4),
        image=spaces.Box(0, 255, (7, 7, 3), np.uint8),
        mission=spaces.Text(11, charset="abc "),
    )
    action_space = spaces.Discrete(3)


class TestCards(PlanningContract):
    observation_space = spaces.Tuple((spaces.Discrete(11), spaces.Discrete(2, start=1)))
    action_space = spaces.Discrete(2)


# What it remembers.


def seen(state, *, action=(0.0, 0.0), opens=False):
    observation = torch.tensor([state], dtype=torch.float32)
    return TimeStep(
        observation=observation,
        action=torch.tensor([action], dtype=torch.float32),
        reward=torch.zeros(1),
        outcome=observation,
        terminated=torch.zeros(1, dtype=torch.bool),
        episode_start=torch.tensor([opens]),
    )


def contexts(*timesteps):
    policy = new_agent(NUMBERS, FORCES).policy()
    context, found = policy.initial_context(1), []
    for timestep in timesteps:
        _, context = policy.act(timestep, context, torch.Generator().manual_seed(0))
        found.append(context)
    return found


def test_a_transition_is_remembered_with_the_control_that_led_on():
    """The action 2, 0.5 lies at the upper bound, and in the middle: the control 1, 0."""
    *_, last = contexts(seen([1, 2, 3], opens=True), seen([2, 4, 6], action=(2.0, 0.5)))
    assert last.history.filled.tolist() == [1]
    assert last.history.differences[0, 0].tolist() == [1, 2, 3]
    assert last.history.control[0, 0].tolist() == [1, 0]


def test_an_opening_observation_is_no_outcome():
    *_, last = contexts(
        seen([1, 2, 3], opens=True),
        seen([2, 4, 6], action=(2.0, 0.5)),
        seen([9, 9, 9], action=(1.0, 0.0), opens=True),
    )
    assert last.history.filled.tolist() == [0]
    assert not last.history.state.any()
    assert last.state.tolist() == [[9, 9, 9]]


def test_the_next_plan_begins_with_this_one_until_the_episode_ends():
    """After an opening, plans of equal draws begin equal, whatever was planned before."""
    opening = seen([1, 2, 3], opens=True)
    first, second, again = contexts(opening, seen([1, 2, 3]), opening)
    assert not torch.equal(first.solution, second.solution)
    torch.testing.assert_close(again.solution, first.solution)


@torch.no_grad()
def test_weights_adapt_to_what_passed_in_their_own_environment_alone():
    """Of two environments in one state, the one to which something has happened expects another
    outcome.
    """
    agent = new_agent(NUMBERS, FORCES, context="gradient", adaptation_rate=0.3)
    policy, state = agent.policy(), torch.tensor([[1.0, 2, 3], [1, 2, 3]])
    control = torch.zeros(2, 2)
    empty = policy.initial_context(2).history
    passed = empty.after(state, control, state + 5).cleared(torch.tensor([False, True]))

    def following(history):
        told = policy.forecaster.told(history)
        asked = (state[None, :, None], control[None, :, None], None)
        return policy.forecaster.following(told, *asked)[0, :, 0]

    adapted, plain = following(passed), following(empty)
    torch.testing.assert_close(plain[0], plain[1])
    torch.testing.assert_close(adapted[1], plain[1])
    assert (adapted[0] - plain[0]).norm() > 0.1
    assert (adapted[0] - state[0] - 5).norm() < (plain[0] - state[0] - 5).norm()


@pytest.mark.parametrize("id", ["icrl/CartPole-v0", "icrl/HalfCheetah-v0"])
def test_a_familys_own_reward_and_view_are_asked_on_the_device(id):
    """Nothing is read back; CartPole terminates, and half-cheetahs have a view."""
    family = make_family(id)
    agent = CaDMAgent(CaDMConfig(**SMALL), Interface.of(family), ACCELERATOR)
    assert agent.rewards is not None
    policy = agent.policy()
    with pretended_accelerator() as device:
        context, generator = policy.initial_context(3), torch.Generator()
        spaces_of = family.observation_space, family.action_space
        for timestep in random_trial(*spaces_of, 3, 2, generator, device):
            action, context = policy.act(timestep, context, generator)
        assert action.device == context.solution.device == device


@pytest.mark.parametrize("stop", [True, False])
def test_where_every_step_terminates_a_plan_that_stops_sees_one_step(stop):
    """Sequences that begin alike then earn alike."""
    agent = new_agent(NUMBERS, spaces.Discrete(2), stop_imagined=stop, candidates=50)
    with torch.no_grad():
        agent.model.networks.outcomes.layers[-1].bias[..., 1] = 99.0
    policy, opening = agent.policy(), seen([1, 2, 3], action=0, opens=True)
    context = policy.told(opening, policy.initial_context(1))
    sequences = agent.controls.random((1, 50, 3), torch.Generator().manual_seed(0))
    score = policy.imagination.score(context.history, context.state, torch.Generator())
    returns = score(sequences)[0]
    first = sequences[0, :, 0, 0] == 1
    assert (returns[first].std() < 1e-5) == stop


def act(policy):
    """A first step in two environments."""
    timestep = TimeStep.first(torch.zeros(2, 3), FORCES)
    policy.act(timestep, policy.initial_context(2), torch.Generator().manual_seed(0))


def planned(device, **settings):
    """Actions of a few steps in a probabilistic ensemble's plans."""
    ensemble = {"members": 2, "particles": 4, "probabilistic": True}
    policy = new_agent(NUMBERS, FORCES, device, **ensemble, **settings).policy()
    context, actions = policy.initial_context(3), []
    generator = torch.Generator(device).manual_seed(0)
    drawn = torch.Generator(device).manual_seed(1)
    for timestep in random_trial(NUMBERS, FORCES, 3, 5, drawn, device):
        action, context = policy.act(timestep, context, generator)
        actions.append(action)
    return torch.stack(actions)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own compiler uses it
@pytest.mark.parametrize("fused", [False, True])
def test_a_policy_goes_when_nobody_holds_it_any_more(fused):
    """At once: on a GPU it holds the memory of a whole plan."""
    policy = new_agent(NUMBERS, FORCES, fused=fused).policy()
    if not fused:  # else it would be compiled, which takes long
        act(policy)
    model = weakref.ref(policy.model)
    gc.disable()
    try:
        del policy
        assert model() is None
    finally:
        gc.enable()


def test_a_policy_shares_the_view_of_its_family_which_may_not_be_copied():
    agent = new_agent(NUMBERS, FORCES)
    agent.states._view = threading.Lock()
    assert agent.policy().model.states is agent.states


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own compiler uses it
def test_a_fused_plan_is_the_same_plan():
    torch.testing.assert_close(planned(CPU, fused=True), planned(CPU), rtol=1e-3, atol=1e-3)


@pytest.mark.gpu
def test_a_replayed_plan_depends_on_what_was_seen_and_drawn_alone():
    """Its draws are not those of the plan step by step, so the actions are not the same."""
    once, again = (planned(torch.device("cuda"), fused=True) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.equal(once[0], once[1])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_agents_own_weights_keep_their_precision(precision):
    agent = new_agent(NUMBERS, FORCES, precision=precision)
    policy = agent.policy()
    own, acting = (next(m.networks.parameters()) for m in (agent.model, policy.model))
    assert own.dtype == torch.float32
    assert acting.dtype == getattr(torch, precision)
    assert policy.model.targets.mean.dtype == torch.float32
