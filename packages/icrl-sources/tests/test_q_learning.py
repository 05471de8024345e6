"""The source `q-learning`: what it learns, what it records, and what it refuses."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from icrl.config import presets
from icrl.errors import ConfigError, SpaceError
from icrl.families import LearnerView
from icrl.histories import HistoryStore, collect
from icrl.plugins import make_family
from icrl.run import Run
from icrl.spaces import unstack
from icrl.testing import ACCELERATOR, TwoCells, pretended_accelerator
from icrl.vector import TaskVectorEnv
from icrl_sources import q_learning, q_learning_config
from icrl_sources.enumeration import Enumeration
from icrl_sources.q_learning import QLearningSource
from icrl_sources.q_learning_config import QLearningConfig
from icrl_sources.tabular import QLearners

CPU = torch.device("cpu")


def learn(tmp_path: Path, family, *, num_tasks: int, seed: int = 0, **settings) -> HistoryStore:
    source = QLearningSource(QLearningConfig(**settings), family, CPU)
    tasks = family.sample_tasks(num_tasks, seed=0)
    run = Run(tmp_path / "run", quiet=True)
    return collect(source, family, tasks, tmp_path / "histories", seed=seed, run=run)


# What it learns.


class Witness:
    """Takes what a recorder takes, and keeps it."""

    def __init__(self) -> None:
        self.rows: list[tuple] = []

    def step(self, *values: torch.Tensor, success: torch.Tensor) -> None:
        self.rows.append(tuple(value.tolist() for value in values))


@pytest.mark.parametrize("learning_rate", [1.0, 0.5])
@pytest.mark.parametrize("replay_steps", [0, 4, 7])
@pytest.mark.parametrize("epsilon", [0.0, 0.6])
def test_it_learns_what_a_learner_written_out_in_plain_python_learns(
    monkeypatch: pytest.MonkeyPatch, learning_rate: float, replay_steps: int, epsilon: float
) -> None:
    """Three learners in three worlds of two cells, whose episodes end by leaving and by age."""
    made: list[QLearners] = []

    def watched(*shape: int, **settings) -> QLearners:
        made.append(QLearners(*shape, **settings))
        return made[-1]

    monkeypatch.setattr(q_learning, "QLearners", watched)
    family = TwoCells()
    config = QLearningConfig(
        streams_per_task=1,
        steps=61,
        initial_value=0.7,
        learning_rate=learning_rate,
        discount=0.9,
        exploration_initial_eps=epsilon,
        exploration_final_eps=epsilon,
        replay_steps=replay_steps,
    )
    witness = Witness()
    tasks = family.sample_tasks(3, seed=0)
    QLearningSource(config, family, CPU).record(tasks, witness, seed=0)  # type: ignore[arg-type]
    tables = made[0].table.view(3, 2, 3).tolist()
    assert tables[0] != tables[1] != tables[2] != tables[0]
    for learner in range(3):
        table = [[0.7] * 3 for _ in range(2)]
        seen = []
        for row in witness.rows:
            cell, action, reward, terminated, _, outcome = (value[learner] for value in row)
            if epsilon == 0.0:
                assert table[cell][action] > max(table[cell]) - 1e-5, "the action is greedy"
            seen.append((cell, action, reward, terminated, outcome))
            replayed = seen[-1 : -1 - replay_steps : -1]
            due = replay_steps and len(seen) % replay_steps == 0
            for cell, action, reward, terminated, outcome in [seen[-1], *(replayed if due else [])]:
                ahead = 0.0 if terminated else max(table[outcome])
                table[cell][action] += learning_rate * (reward + 0.9 * ahead - table[cell][action])
        assert np.allclose(tables[learner], table, atol=1e-5)
    ends = {(t, u) for row in witness.rows for t, u in zip(row[3], row[4], strict=True)}
    assert epsilon == 0.0 or ends == {(False, False), (True, False), (False, True)}


def learners(shape: tuple[int, int, int] = (2, 3, 2), **settings) -> QLearners:
    """So many learners, cells and actions; two learners with three cells and two actions."""
    chosen = {
        "initial_value": 0.5,
        "learning_rate": 1.0,
        "discount": 0.5,
        "visit_bonus": 0.0,
        "generator": torch.Generator().manual_seed(0),
        "device": CPU,
    }
    return QLearners(*shape, **(chosen | settings))


def test_a_truncated_episode_is_bootstrapped_where_a_terminated_one_is_not() -> None:
    both = learners()
    cell, action = torch.tensor([0, 0]), torch.tensor([1, 1])
    both.learn(
        both.entries(both.rows(cell), action),
        torch.tensor([2.0, 2.0]),
        both.rows(torch.tensor([1, 1])),
        torch.tensor([False, True]),  # the first learner's episode was truncated here
    )
    table = both.table.view(2, 3, 2)
    assert table[0, 0].tolist() == [0.5, 2.0 + 0.5 * 0.5]
    assert table[1, 0].tolist() == [0.5, 2.0]
    assert (table[:, 1:] == 0.5).all()


def test_an_update_goes_the_learning_rate_of_the_way() -> None:
    both = learners(learning_rate=0.25)
    both.learn(
        both.entries(both.rows(torch.tensor([0, 2])), torch.tensor([0, 1])),
        torch.tensor([1.0, 3.0]),
        both.rows(torch.tensor([1, 1])),
        torch.tensor([True, True]),
    )
    assert both.table.view(2, 3, 2)[0, 0, 0].item() == 0.5 + 0.25 * (1.0 - 0.5)
    assert both.table.view(2, 3, 2)[1, 2, 1].item() == 0.5 + 0.25 * (3.0 - 0.5)


def test_ties_are_broken_uniformly() -> None:
    many = learners((9000, 1, 5), initial_value=0.0)
    many.table[:, [1, 3, 4]] = 1.0
    action = many.act(many.rows(torch.zeros(9000, dtype=torch.int64)), 0.0)
    counts = action.bincount(minlength=5)
    assert counts[[0, 2]].sum() == 0
    assert ((counts[[1, 3, 4]] - 3000) ** 2 / 3000).sum() < 13.8  # chi-square, once in a thousand


def test_epsilon_is_the_share_of_uniform_actions() -> None:
    many = learners((20_000, 1, 5), initial_value=0.0)
    many.table[:, 2] = 1.0
    action = many.act(many.rows(torch.zeros(20_000, dtype=torch.int64)), 0.3)
    counts = action.bincount(minlength=5)
    expected = torch.tensor([0.06, 0.06, 0.76, 0.06, 0.06]) * 20_000
    assert ((counts - expected) ** 2 / expected).sum() < 18.5  # chi-square, once in a thousand


def test_epsilon_falls_linearly_over_its_fraction_of_the_history() -> None:
    config = QLearningConfig(
        steps=100,
        exploration_initial_eps=0.8,
        exploration_final_eps=0.2,
        exploration_fraction=0.5,
    )
    source = QLearningSource(config, TwoCells(), CPU)
    found = [source._epsilon(step) for step in (0, 25, 50, 99)]
    assert found == pytest.approx([0.8, 0.5, 0.2, 0.2])


def test_a_visit_bonus_sends_the_learner_to_what_it_tried_least() -> None:
    both = learners(visit_bonus=1.0)
    rows = both.rows(torch.tensor([0, 0]))
    tried = [Counter[int](), Counter[int]()]
    for _ in range(10):
        action = both.act(rows, 0.0)
        both.count(both.entries(rows, action))
        for counter, chosen in zip(tried, action.tolist(), strict=True):
            counter[chosen] += 1
    assert tried == [{0: 5, 1: 5}] * 2


def test_it_learns_dark_room_to_near_the_optimum(tmp_path: Path) -> None:
    pytest.importorskip("icrl_envs", reason="icrl-envs is not installed")
    family = make_family("icrl/DarkRoom-v0")
    store = learn(tmp_path, family, num_tasks=17, streams_per_task=3)
    returns = store.info().mean_return_by_tenth
    optimum = family.optimal_return(family.sample_tasks(17, seed=0)).mean().item()
    assert returns[0] < 0.5 * optimum
    assert returns[-1] > 0.97 * optimum


def test_it_solves_what_its_own_view_alone_can_tell_apart(tmp_path: Path) -> None:
    pytest.importorskip("icrl_envs", reason="icrl-envs is not installed")
    family = make_family("icrl/DarkKeyToDoor-v0", size=5, horizon=30, num_test_tasks=5)
    assert isinstance(family, LearnerView)
    store = learn(tmp_path, family, num_tasks=11, streams_per_task=3)
    returns = store.info().mean_return_by_tenth
    optimum = family.optimal_return(family.sample_tasks(11, seed=0)).mean().item()
    assert returns[-1] > 0.95 * optimum
    shape = store.shard_tensors(0)["observation"].shape
    assert shape[-1] == 2, "whether the key is held is never recorded"


# How it records.


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    files = []
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        folder = tmp_path / name
        learn(folder, TwoCells(), num_tasks=3, streams_per_task=5, steps=37, seed=seed)
        files.append((folder / "histories" / "shard-00000.safetensors").read_bytes())
    assert files[0] == files[1] != files[2]


def test_streams_of_one_task_differ(tmp_path: Path) -> None:
    store = learn(tmp_path, TwoCells(), num_tasks=2, streams_per_task=3, steps=41)
    assert len(store.shard_tensors(0)["action"].unique(dim=0)) == 6


def test_shards_hold_about_as_many_learners_as_asked_for(tmp_path: Path) -> None:
    store = learn(
        tmp_path, TwoCells(), num_tasks=4, streams_per_task=3, steps=11, learners_at_once=7
    )
    assert [shard.streams for shard in store.shards] == [6, 6]


def test_a_history_is_two_hundred_episodes_of_full_length_by_default() -> None:
    assert QLearningSource(QLearningConfig(), TwoCells(), CPU).steps == 200 * 5


@pytest.mark.parametrize(("visit_bonus", "learners_that_fit"), [(0.0, 10), (1.0, 5)])
def test_the_counts_of_visits_take_their_part_of_the_memory(
    monkeypatch: pytest.MonkeyPatch, visit_bonus: float, learners_that_fit: int
) -> None:
    monkeypatch.setattr(q_learning, "TABLE_BYTES", 10 * 4 * 2 * 3)  # two cells, three actions
    config = QLearningConfig(streams_per_task=1, steps=7, visit_bonus=visit_bonus)
    assert QLearningSource(config, TwoCells(), CPU).tasks_per_shard == learners_that_fit


def test_the_environments_are_closed_although_recording_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = TwoCells()
    closed = []
    monkeypatch.setattr(TaskVectorEnv, "close", lambda env, **_: closed.append(env.num_envs))
    source = QLearningSource(QLearningConfig(streams_per_task=3, steps=7), family, CPU)
    with pytest.raises(AttributeError, match="step"):
        source.record(family.sample_tasks(1, seed=0), None, seed=0)  # type: ignore[arg-type]
    assert closed == [3]


@pytest.mark.parametrize("visit_bonus", [0.0, 1.0])
def test_learners_read_nothing_back_to_the_host(visit_bonus: float) -> None:
    many = learners((7, 3, 2), learning_rate=0.5, visit_bonus=visit_bonus, device=ACCELERATOR)
    cells = Enumeration(spaces.MultiDiscrete([3]))
    actions = Enumeration(spaces.MultiDiscrete([1, 2]))
    with pretended_accelerator() as device:
        rows = many.rows(cells.numbers(torch.zeros(7, 1, dtype=torch.int64, device=device)))
        chosen = many.act(rows, 0.1)
        actions.values(chosen)
        entries = many.entries(rows, chosen)
        many.count(entries)
        ended = torch.zeros(7, dtype=torch.bool, device=device)
        many.learn(entries, torch.zeros(7, device=device), rows, ended)


# Numbers of cells and actions.

finite_leaves = st.one_of(
    st.builds(spaces.Discrete, st.integers(1, 7), start=st.integers(-3, 3)),
    st.lists(st.integers(1, 5), min_size=1, max_size=3).map(spaces.MultiDiscrete),
    st.integers(1, 3).map(spaces.MultiBinary),
)
finite_spaces = st.recursive(
    finite_leaves,
    lambda child: st.one_of(
        st.lists(child, min_size=1, max_size=2).map(spaces.Tuple),
        st.dictionaries(st.sampled_from("abc"), child, min_size=1, max_size=2).map(spaces.Dict),
    ),
    max_leaves=3,
)


@given(finite_spaces)
def test_each_value_of_a_finite_space_has_a_number_of_its_own(space: spaces.Space) -> None:
    enumeration = Enumeration(space)
    numbers = torch.arange(min(enumeration.size, 500))
    values = enumeration.values(numbers)
    assert torch.equal(enumeration.numbers(values), numbers)
    assert all(space.contains(value) for value in unstack(space, values))


def test_a_multidiscrete_value_counts_like_digits() -> None:
    enumeration = Enumeration(spaces.MultiDiscrete([3, 5], start=[1, 0]))
    assert enumeration.size == 15
    assert enumeration.numbers(torch.tensor([[1, 0], [1, 4], [2, 0], [3, 4]])).tolist() == [
        0,
        4,
        5,
        14,
    ]


# What it refuses.


class Wide(TwoCells):
    """Two cells, seen through a space that no table holds."""

    def __init__(self, space: spaces.Space) -> None:
        super().__init__()
        self.observation_space = space


def test_a_continuous_observation_is_refused_with_the_source_to_use() -> None:
    with pytest.raises(SpaceError, match=r"finitely many values.*--source sb3"):
        QLearningSource(QLearningConfig(), Wide(spaces.Box(0.0, 1.0, (3,))), CPU)


def test_a_table_beyond_memory_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"100,000,000 observations and 3 actions.*--source sb3"):
        QLearningSource(QLearningConfig(), Wide(spaces.Discrete(100_000_000)), CPU)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"discount": 1.5}, "discount is 1.5; it needs a value from 0 to 1"),
        ({"exploration_initial_eps": -0.1}, "exploration_initial_eps is -0.1"),
        ({"streams_per_task": 0}, "streams_per_task is 0; it must be at least 1"),
        ({"steps": 0}, "steps is 0"),
        ({"replay_steps": -1}, "replay_steps is -1; it cannot be negative"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        QLearningConfig(**settings)


def test_a_family_without_a_horizon_needs_the_number_of_steps() -> None:
    family = TwoCells()
    family.max_episode_steps = None
    with pytest.raises(ConfigError, match=r"no horizon.*--source\.steps"):
        QLearningSource(QLearningConfig(), family, CPU)
    assert QLearningSource(QLearningConfig(steps=7), family, CPU).config.replay_steps == 0


# Its settings.


def test_every_preset_is_a_setting_that_exists() -> None:
    folder = Path(q_learning_config.__file__).parent
    text = (folder / "q_learning_presets.toml").read_text()
    for family in (None, "icrl/DarkRoom-v0", "icrl/DarkRoomHard-v0", "icrl/DarkKeyToDoor-v0"):
        for budget in ("smoke", "default", "full"):
            QLearningConfig.from_dict(presets(text, family, budget))


def test_settings_need_no_torch() -> None:
    code = "import sys, icrl_sources.q_learning_config; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
