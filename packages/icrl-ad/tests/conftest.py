"""A tiny world with recorded learners, and a loop that plays it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from icrl.agent import Interface
from icrl.histories import HistoryStore, Manifest
from icrl.policy import Policy
from icrl.tasks import Tasks
from icrl.timestep import TimeStep

BUTTONS, HORIZON = 5, 3


def record(directory: Path, actions: Tensor, good: Tensor) -> HistoryStore:
    """A store in which stream `i` presses `actions[i]` while button `good[i]` pays."""
    interface = Interface(Discrete(2), Discrete(BUTTONS), HORIZON, "test/Buttons", {})
    manifest = Manifest(interface=interface, split="train", source="script", config={}, seed=0)
    store = HistoryStore.create(directory, manifest)
    tasks = Tasks(interface.family, {}, "train", {"good": good})
    recorder = store.append(tasks, streams_per_task=1, steps=actions.shape[1])
    assert recorder is not None
    nothing = torch.zeros(len(good), dtype=torch.int64)
    never = torch.zeros(len(good), dtype=torch.bool)
    with recorder:
        for step, action in enumerate(actions.unbind(1)):
            ends = torch.full_like(never, step % HORIZON == HORIZON - 1)
            recorder.step(nothing, action, (action == good).float(), never, ends, nothing)
    return HistoryStore.open(directory)


def searching(good: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Learners who try buttons in an order of their own until one pays, and go on with that."""
    order = torch.rand(len(good), BUTTONS, generator=generator).argsort(1)
    found = (order == good[:, None]).long().argmax(1)
    step = torch.arange(steps).expand(len(good), -1)
    return order.gather(1, torch.minimum(step, found[:, None]))


@pytest.fixture(scope="session")
def learners(tmp_path_factory: pytest.TempPathFactory) -> HistoryStore:
    """Histories of 203 learners who search for their task's button and keep pressing it.

    order 3 1 4 0 2, button 4 pays:   3 1 4 | 4 4 4 | 4 4 4 | ...
    """
    generator = torch.Generator().manual_seed(0)
    good = torch.randint(BUTTONS, (203,), generator=generator)
    actions = searching(good, 8 * HORIZON, generator)
    return record(tmp_path_factory.mktemp("learners") / "histories", actions, good)


@pytest.fixture(scope="session")
def turncoats(tmp_path_factory: pytest.TempPathFactory) -> HistoryStore:
    """Histories that press button 0 for three quarters of their life, and then button 1."""
    actions = (torch.arange(8 * HORIZON) >= 6 * HORIZON).long().expand(17, -1)
    good = torch.ones(17, dtype=torch.int64)
    return record(tmp_path_factory.mktemp("turncoats") / "histories", actions, good)


@pytest.fixture
def play() -> Callable[[Policy, Tensor, int], Tensor]:
    """The returns of a policy [envs, episodes], from which button pays in each environment."""

    def returns(policy: Policy, good: Tensor, episodes: int) -> Tensor:
        generator = torch.Generator().manual_seed(5)
        nothing = torch.zeros(len(good), dtype=torch.int64)
        never = torch.zeros(len(good), dtype=torch.bool)
        timestep = TimeStep.first(nothing, Discrete(BUTTONS))
        context = policy.initial_context(len(good))
        rewards = []
        for step in range(episodes * HORIZON):
            action, context = policy.act(timestep, context, generator)
            reward = (action == good).float()
            opens = torch.full_like(never, step % HORIZON == HORIZON - 1)
            timestep = TimeStep(nothing, action, reward, nothing, never, opens)
            rewards.append(reward)
        return torch.stack(rewards, 1).unflatten(1, (episodes, HORIZON)).sum(2)

    return returns
