"""Linear systems whose hidden parameter is known: what the context tells, and what it is good for.

A mass on a spring with friction, pushed by a motor of unknown strength:

    position' = position + 0.3 velocity
    velocity' = 0.8 velocity - 0.2 position + strength * control

A model that does not know the strength can at best predict the mean one's effect.
"""

from typing import Any

import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.agent import Interface
from icrl.nn import initial_weights
from icrl_cadm.config import CaDMConfig
from icrl_cadm.controls import Controls
from icrl_cadm.fitting import fit, optimizer_of
from icrl_cadm.history import History
from icrl_cadm.model import DynamicsModel
from icrl_cadm.policy import PlanningPolicy
from icrl_cadm.states import States
from icrl_cadm.transitions import Transitions

STEPS, PAST = 40, 5
OBSERVED, CONTROLLED = spaces.Box(-9, 9, (2,)), spaces.Box(-1, 1, (1,))
INTERFACE = Interface(OBSERVED, CONTROLLED, STEPS, "icrl/Any-v0", {})
SMALL = {"hidden": (64, 64), "encoder": (64, 32), "past": PAST, "learning_rate": 3e-3}


def episodes(strength: Tensor, seed: int) -> Transitions:
    """An episode of random controls for each strength [tasks]."""
    generator = torch.Generator().manual_seed(seed)
    state = torch.randn(len(strength), 2, generator=generator)
    states, controls = [state], []
    for _ in range(STEPS):
        control = 2 * torch.rand(len(strength), 1, generator=generator) - 1
        position, velocity = state.unbind(1)
        force = 0.8 * velocity - 0.2 * position + strength * control[:, 0]
        state = torch.stack((position + 0.3 * velocity, force), 1)
        states.append(state)
        controls.append(control)
    nothing = torch.zeros(STEPS, len(strength))
    opens = nothing.bool()
    opens[0] = True
    return Transitions.of(
        state=torch.stack(states[:-1]),
        control=torch.stack(controls),
        following=torch.stack(states[1:]),
        reward=nothing,
        terminated=nothing.bool(),
        opens=opens,
        validation=0.1,
        generator=generator,
    )


def strengths(tasks: int, low: float, high: float, seed: int) -> Tensor:
    drawn = torch.rand(tasks, generator=torch.Generator().manual_seed(seed))
    return low + (high - low) * drawn


SEEN = strengths(300, 0.5, 1.5, seed=1)
UNSEEN = {"within": strengths(50, 0.5, 1.5, seed=2), "beyond": strengths(50, 1.6, 1.8, seed=3)}


def fitted(**settings: Any) -> DynamicsModel:
    config = CaDMConfig(**SMALL | settings).adapted(INTERFACE)
    with initial_weights(torch.Generator().manual_seed(0)):
        model = DynamicsModel(config, States(OBSERVED, "cpu"), 1, learns_rewards=False)
    generator = torch.Generator().manual_seed(4)
    fit(model, optimizer_of(model), episodes(SEEN, seed=5), generator)
    return model


@pytest.fixture(scope="module")
def cadm() -> DynamicsModel:
    return fitted(context="encoded", future=5, epochs=8)


@pytest.fixture(scope="module")
def rebal() -> DynamicsModel:
    return fitted(context="recurrent", future=5, epochs=8)


@pytest.fixture(scope="module")
def grbal() -> DynamicsModel:
    return fitted(context="gradient", future=5, epochs=20, batch_size=64, adaptation_rate=0.1)


@pytest.fixture(scope="module")
def vanilla() -> DynamicsModel:
    return fitted(context="none", epochs=20, batch_size=64)


def known(transitions: Transitions) -> tuple[Tensor, History]:
    """The transitions before which a whole history had passed, and that history."""
    index = torch.arange(len(transitions))[transitions.age >= PAST]
    return index, transitions.history(index, PAST)


@torch.no_grad()
def error(model: DynamicsModel, strength: Tensor) -> float:
    """The mean squared error of one step's prediction, in tasks of these strengths."""
    transitions = episodes(strength, seed=6)
    index, history = known(transitions)
    forecaster = PlanningPolicy(model, Controls(CONTROLLED), None).forecaster
    state, control = transitions.state[None, index, None], transitions.control[None, index, None]
    found = forecaster.following(forecaster.told(history), state, control, None)[0, :, 0]
    return float((found - transitions.following[index]).square().mean())


@torch.no_grad()
def contexts(model: DynamicsModel, strength: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """What full histories tell [histories, width + 1], a one beside it; and their strengths."""
    transitions = episodes(strength, seed)
    index, history = known(transitions)
    told = model.context(history)[0]
    return torch.cat((told, torch.ones(len(index), 1)), 1), strength[index // STEPS]


def probe(model: DynamicsModel) -> float:
    """R² of the strength as a linear function of the context, on tasks that it was not fitted to:
    neither was the model.
    """
    told, strength = contexts(model, SEEN, seed=5)
    weights = torch.linalg.lstsq(told, strength[:, None]).solution
    told, strength = contexts(model, UNSEEN["within"], seed=6)
    missed = (told @ weights)[:, 0] - strength
    return 1 - float(missed.var() / strength.var())


def test_the_context_tells_the_hidden_parameter(cadm: DynamicsModel):
    assert probe(cadm) >= 0.95


def test_before_training_it_does_not():
    assert probe(fitted(context="encoded", future=5, epochs=1, learning_rate=1e-9)) < 0.5


@pytest.mark.parametrize("where", UNSEEN)
def test_under_its_context_the_model_errs_less_on_unseen_parameters(
    where: str, cadm: DynamicsModel, vanilla: DynamicsModel
):
    assert error(cadm, UNSEEN[where]) < 0.5 * error(vanilla, UNSEEN[where])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rebal", "grbal"])
def test_what_passed_helps_other_ways_to_adapt_too(
    name: str, vanilla: DynamicsModel, request: pytest.FixtureRequest
):
    adaptive = request.getfixturevalue(name)
    assert error(adaptive, UNSEEN["within"]) < 0.5 * error(vanilla, UNSEEN["within"])


@pytest.mark.slow
def test_a_recurrent_state_tells_the_hidden_parameter(rebal: DynamicsModel):
    assert probe(rebal) >= 0.9
