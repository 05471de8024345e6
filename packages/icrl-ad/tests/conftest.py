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

BUTTONS, HORIZON, EPISODES = 5, 3, 8


def recorded(directory: Path, actions: Tensor, pays: Tensor) -> HistoryStore:
    """A store in which stream `i` presses `actions[i]` while button `pays[i, place]` pays.

    An episode has three places, one a step; the observation is the place.
    """
    interface = Interface(Discrete(HORIZON), Discrete(BUTTONS), HORIZON, "test/Buttons", {})
    manifest = Manifest(interface=interface, split="train", source="script", config={}, seed=0)
    store = HistoryStore.create(directory, manifest)
    tasks = Tasks(interface.family, {}, "train", {"pays": pays})
    recorder = store.append(tasks, streams_per_task=1, steps=actions.shape[1])
    assert recorder is not None
    never = torch.zeros(len(pays), dtype=torch.bool)
    with recorder:
        for step, action in enumerate(actions.unbind(1)):
            place = step % HORIZON
            here, there = (
                torch.full((len(pays),), p) for p in (place, min(place + 1, HORIZON - 1))
            )
            reward = (action == pays[:, place]).float()
            recorder.step(here, action, reward, never, ~never & (place == HORIZON - 1), there)
    return HistoryStore.open(directory)


def searched(pays: Tensor, generator: torch.Generator) -> Tensor:
    """The presses [streams, steps] of learners who try, at each place, buttons in an order of their
    own until one pays, and go on with that.

        order 3 1 4 0 2, button 4 pays: 3 in the first episode, 1 in the second, 4 from then on
    """
    order = torch.rand(*pays.shape, BUTTONS, generator=generator).argsort(-1)
    found = (order == pays.unsqueeze(-1)).long().argmax(-1, keepdim=True)
    episode = torch.arange(EPISODES).expand(*pays.shape, -1)
    presses = order.gather(-1, torch.minimum(episode, found))  # [streams, places, episodes]
    return presses.transpose(1, 2).flatten(1)


@pytest.fixture(scope="session")
def learners(tmp_path_factory: pytest.TempPathFactory) -> HistoryStore:
    """Histories of 203 learners of tasks in which one button pays at all places."""
    generator = torch.Generator().manual_seed(0)
    pays = torch.randint(BUTTONS, (203, 1), generator=generator).expand(-1, HORIZON)
    directory = tmp_path_factory.mktemp("learners") / "histories"
    return recorded(directory, searched(pays, generator), pays)


@pytest.fixture(scope="session")
def turncoats(tmp_path_factory: pytest.TempPathFactory) -> HistoryStore:
    """Histories that press button 0 for three quarters of their life, and then button 1."""
    late = torch.arange(EPISODES * HORIZON) >= 6 * HORIZON
    directory = tmp_path_factory.mktemp("turncoats") / "histories"
    return recorded(directory, late.long().expand(17, -1), torch.ones(17, HORIZON).long())


@pytest.fixture
def play() -> Callable[[Policy, Tensor, int], Tensor]:
    """The returns of a policy [envs, episodes], from what pays [envs, places] and the episodes."""

    def returns(policy: Policy, pays: Tensor, episodes: int) -> Tensor:
        generator = torch.Generator().manual_seed(5)
        never = torch.zeros(len(pays), dtype=torch.bool)
        timestep = TimeStep.first(torch.zeros(len(pays), dtype=torch.int64), Discrete(BUTTONS))
        context = policy.initial_context(len(pays))
        rewards = []
        for step in range(episodes * HORIZON):
            place = step % HORIZON
            action, context = policy.act(timestep, context, generator)
            reward = (action == pays[:, place]).float()
            opens = ~never & (place == HORIZON - 1)
            shown = torch.full((len(pays),), (place + 1) % HORIZON)
            timestep = TimeStep(shown, action, reward, shown, never, opens)
            rewards.append(reward)
        return torch.stack(rewards, 1).unflatten(1, (episodes, HORIZON)).sum(2)

    return returns


@pytest.fixture(scope="session")
def record() -> Callable[[Path, Tensor, Tensor], HistoryStore]:
    """The function `recorded`."""
    return recorded


@pytest.fixture(scope="session")
def search() -> Callable[[Tensor, torch.Generator], Tensor]:
    """The function `searched`."""
    return searched
