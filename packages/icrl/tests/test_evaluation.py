"""Evaluation: returns followed by hand in a world of two cells, and the result directory."""

import itertools
import json
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from icrl.agent import Interface
from icrl.errors import (
    AutoresetError,
    DamagedFileError,
    OutputError,
    SpaceError,
    SplitError,
    StorageError,
    TaskError,
    UsageError,
)
from icrl.evaluation import Evaluation, evaluate, optimum, source
from icrl.evaluation.protocol import FiniteWatch, Tally
from icrl.evaluation.trials import TrialRecorder
from icrl.histories import HistoryStore, Manifest
from icrl.interaction import play
from icrl.policy import Policy
from icrl.random_agent import RandomPolicy
from icrl.testing import ACCELERATOR, pretended_accelerator
from icrl.testing.counter import CounterFamily
from icrl.testing.two_cells import CROSS, STAY, TwoCells


class FindsOut(Policy[torch.Tensor]):
    """Stays until staying has not paid once; from then on it goes to the other cell.

    With the goal in cell 0 it earns the length of every episode; with the goal in cell 1 one less
    in the first.
    """

    def initial_context(self, num_envs):
        return torch.zeros(num_envs, dtype=torch.int64), torch.ones(num_envs, dtype=torch.bool)

    def act(self, timestep, context, generator):
        goal, first = context
        disappointed = (timestep.reward == 0) & ~first
        goal = torch.where(disappointed, 1, goal)
        cross = timestep.observation != goal
        return torch.where(cross, CROSS, STAY), (goal, torch.zeros_like(first))


def four_tasks(family):
    """(goal, length): (0, 3), (1, 3), (0, 5), (1, 5)."""
    tasks = family.sample_tasks(4, split="test", seed=0)
    order = (tasks.arrays["length"] * 2 + tasks.arrays["goal"]).argsort()
    return tasks[order]


def evaluation(family=None, *, episodes=3, repeat=1, **settings):
    family = family or TwoCells()
    env = family.vector_env(four_tasks(family).repeat(repeat))
    return evaluate(FindsOut(), env, episodes, seed=7, agent="finds-out", **settings)


def test_there_is_one_return_for_each_task_and_episode():
    result = evaluation()
    assert result.returns.dtype == np.float32
    assert result.returns.tolist() == [[3, 3, 3], [2, 3, 3], [5, 5, 5], [4, 5, 5]]


def test_rows_that_are_done_early_are_no_longer_looked_at():
    result = evaluation()
    assert result.lengths.tolist() == [[3, 3, 3], [3, 3, 3], [5, 5, 5], [5, 5, 5]]


def test_success_is_told_for_each_episode_where_the_family_reports_it():
    assert evaluation().success.tolist() == [[True, True, True]] * 4
    assert evaluation(TwoCells(reports_success=False)).success is None


def test_what_is_known_of_each_task_stands_beside_its_returns():
    result = evaluation()
    assert result.optimal_return.tolist() == [3, 3, 5, 5]
    assert np.all(result.random_return < result.optimal_return)


def test_several_rows_of_one_task_are_several_trials_of_it():
    result = evaluation(repeat=3)
    assert len(result.tasks) == 4
    assert result.task.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert result.by_task(result.returns)[:, 0].tolist() == [3, 2, 5, 4]


def test_random_actions_earn_what_the_family_says():
    family = TwoCells()
    env = family.vector_env(four_tasks(family).repeat(500))
    result = evaluate(RandomPolicy(family.action_space, "cpu"), env, 7, seed=0)
    assert np.allclose(result.by_task(result.returns).mean(1), result.random_return, atol=0.08)


def test_the_same_seed_gives_the_same_returns():
    family = TwoCells()
    policy = RandomPolicy(family.action_space, "cpu")
    env = family.vector_env(four_tasks(family))
    first, again, other = (evaluate(policy, env, 7, seed).returns for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_max_steps_leaves_the_episodes_that_every_row_has_ended():
    result = evaluation(max_steps=12)
    assert result.returns.tolist() == [[3, 3], [2, 3], [5, 5], [4, 5]]
    assert (result.episodes, result.episodes_asked, result.cut) == (2, 3, False)


def test_max_steps_within_the_first_episode_leaves_it_as_far_as_it_came():
    result = evaluation(max_steps=2)
    assert result.returns.tolist() == [[2], [1], [2], [1]]
    assert result.cut


def test_progress_is_told_of_every_episode_once():
    told: list[float] = []
    evaluation(progress=told.append)
    assert sum(told) == 4 * 3


def test_progress_is_told_of_parts_of_an_episode_where_its_length_is_known():
    """Four counters go on together through two episodes of three steps."""
    family, told = CounterFamily(), []
    assert family.max_episode_steps is None
    family.max_episode_steps = 3
    env = family.vector_env(family.sample_tasks(4, split="test", seed=0))
    evaluate(RandomPolicy(family.action_space, "cpu"), env, 2, seed=0, progress=told.append)
    assert told == pytest.approx([4 / 3] * 6, abs=0.01)
    assert sum(told) == 8


def test_progress_is_told_of_whole_episodes_where_their_length_is_unknown():
    family, told = CounterFamily(), []
    env = family.vector_env(family.sample_tasks(4, split="test", seed=0))
    evaluate(RandomPolicy(family.action_space, "cpu"), env, 2, seed=0, progress=told.append)
    assert told == [4, 4]


def test_counting_and_recording_never_stop_an_accelerator():
    family = TwoCells()
    tasks = four_tasks(family)
    env = family.vector_env(tasks, device=ACCELERATOR)
    policy = RandomPolicy(family.action_space, ACCELERATOR)
    with pretended_accelerator() as device:
        tally, recorder = Tally(env, 3), TrialRecorder([0, 2], [0, 1], device)
        watch = FiniteWatch(env)
        for step, transition in enumerate(islice(play(policy, env, seed=0), 5), start=1):
            watch.look(transition, step, tally.counted())
            tally.add(transition)
            recorder.step(transition)


class TwoCellsOnce(TwoCells):
    trial_episodes = 1


def test_where_a_trial_is_one_episode_every_steps_reward_is_kept(tmp_path):
    family = TwoCellsOnce()
    tasks = four_tasks(family)[torch.tensor([2, 3])]
    result = evaluate(FindsOut(), family.vector_env(tasks), 1, seed=7)
    result.save(tmp_path)
    assert Evaluation.load(tmp_path).rewards.tolist() == [[1, 1, 1, 1, 1], [0, 1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("family", "episodes", "why"),
    [
        (TwoCellsOnce, 1, "trials of 3 and of 5 steps"),
        (TwoCellsOnce, 2, "another episode"),
        (TwoCells, 1, "the trial was meant to be longer"),
    ],
)
def test_else_returns_are_enough(family, episodes, why):
    assert evaluation(family(), episodes=episodes).rewards is None, why


@pytest.mark.parametrize("how", ["truncated", "terminated"])
def test_rewards_of_steps_are_kept_of_episodes_that_only_a_limit_ends(how):
    """All have three steps, but one that an action ended early would have been shorter."""

    class CounterOnce(CounterFamily):
        trial_episodes = 1

    family = CounterOnce(how=how)
    env = family.vector_env(family.sample_tasks(2, split="test", seed=0))
    rewards = evaluate(RandomPolicy(family.action_space, "cpu"), env, 1, seed=0).rewards
    kept = None if rewards is None else rewards.tolist()
    assert kept == ([[1, 2, 3], [1, 2, 3]] if how == "truncated" else None)


def test_solved_means_success_in_the_last_third():
    result = evaluation()
    late_success = np.array([[1, 1, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]], bool)
    changed = replace(result, success=late_success)
    assert changed.solved().tolist() == [False, True, False, False]


def test_without_success_solved_means_half_of_the_tasks_own_optimum():
    result = evaluation(TwoCells(reports_success=False))
    returns = np.array([[3, 3, 1.4], [0, 0, 1.5], [5, 5, 2.4], [0, 0, 2.5]], np.float32)
    assert replace(result, returns=returns).solved().tolist() == [False, True, False, True]


def test_without_success_and_optimum_nobody_knows_what_is_solved():
    result = replace(evaluation(TwoCells(reports_success=False)), optimal_return=None)
    assert result.solved() is None


def test_the_optimum_is_an_evaluation_too():
    family = TwoCells()
    result = optimum(family, four_tasks(family), 3, seed=0)
    assert result is not None
    assert result.returns.tolist() == [[3] * 3, [3] * 3, [5] * 3, [5] * 3]


def recorded(directory, *, steps, split="test", success=False):
    """A store of what `FindsOut` does, two streams for each task."""
    family = TwoCells()
    tasks = four_tasks(family) if split == "test" else family.sample_tasks(2, split=split, seed=0)
    manifest = Manifest(
        interface=Interface.of(family), split=split, source="finds-out", config={}, seed=7
    )
    store = HistoryStore.create(directory, manifest)
    env = family.vector_env(tasks.repeat(2))
    with store.append(tasks, streams_per_task=2, steps=steps) as recorder:
        for t in islice(play(FindsOut(), env, seed=7), steps):
            recorder.step(
                t.timestep.observation,
                t.action,
                t.reward,
                t.terminated,
                t.truncated,
                t.following.outcome,
                **({"success": t.info["success"]} if success else {}),
            )
    return family, HistoryStore.open(directory)


def test_a_recorded_source_is_an_evaluation_of_its_own_life(tmp_path):
    family, store = recorded(tmp_path, steps=17)
    found = source(store, family)
    assert (
        found.returns.tolist() == np.repeat([[3] * 3, [2, 3, 3], [5] * 3, [4, 5, 5]], 2, 0).tolist()
    )
    assert found.lengths.tolist() == np.repeat([[3] * 3, [3] * 3, [5] * 3, [5] * 3], 2, 0).tolist()
    assert found.task.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (found.agent, found.seed, found.details["source"]) == ("source", 7, "finds-out")
    assert source(store, family, episodes=2).episodes == 2


def test_a_source_is_judged_by_the_success_that_it_recorded(tmp_path):
    family, store = recorded(tmp_path, steps=17, success=True)
    found = source(store, family)
    assert found.success.shape == (8, 3) and found.success.all()
    assert found.solved().all()


def test_a_source_whose_success_was_not_recorded_is_not_judged_by_another_rule(tmp_path):
    family, store = recorded(tmp_path, steps=17)
    found = source(store, family)
    assert found.solved() is None
    assert found.solved_rule == "unknown: success was not recorded"


def test_a_source_with_too_few_episodes_is_refused(tmp_path):
    family, store = recorded(tmp_path, steps=17)
    with pytest.raises(UsageError, match="ended 3 episodes, fewer than the 4"):
        source(store, family, episodes=4)


def test_a_source_on_training_tasks_is_refused(tmp_path):
    family, store = recorded(tmp_path, steps=17, split="train")
    with pytest.raises(SplitError, match="--split test"):
        source(store, family)


def test_a_result_comes_back_from_its_directory(tmp_path):
    result = evaluation(training_seed=5, details={"decoding": "argmax"}, command="icrl evaluate x")
    result.save(tmp_path / "result")
    loaded = Evaluation.load(tmp_path / "result")
    for name in ("returns", "lengths", "success", "task", "optimal_return", "random_return"):
        assert np.array_equal(getattr(loaded, name), getattr(result, name)), name
    for name in ("agent", "seed", "training_seed", "details", "command", "versions", "cut"):
        assert getattr(loaded, name) == getattr(result, name), name
    assert torch.equal(loaded.tasks.arrays["goal"], result.tasks.arrays["goal"])


def test_the_directory_can_be_read_without_icrl(tmp_path):
    evaluation().save(tmp_path)
    data = json.loads((tmp_path / "evaluation.json").read_text())
    assert (data["agent"], data["split"], data["episodes"]) == ("finds-out", "test", 3)
    assert data["optimal_return"] == [3, 3, 5, 5]
    assert np.load(tmp_path / "returns.npy").shape == (4, 3)
    assert {"lengths.npy", "success.npy"} <= {path.name for path in tmp_path.iterdir()}


def test_the_same_evaluation_is_the_same_directory_byte_for_byte(tmp_path):
    for name in ("one", "two"):
        evaluation().save(tmp_path / name)
    files = [{p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two")]
    assert files[0] == files[1]


def test_evaluating_an_agent_again_replaces_its_result(tmp_path):
    evaluation().save(tmp_path / "result")
    evaluation(episodes=2).save(tmp_path / "result")
    assert Evaluation.load(tmp_path / "result").episodes == 2
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_full_disk_leaves_the_result_that_stood_there(tmp_path, monkeypatch):
    evaluation().save(tmp_path / "result")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        evaluation(episodes=2).save(tmp_path / "result")
    monkeypatch.undo()
    assert Evaluation.load(tmp_path / "result").episodes == 3
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_training_tasks_are_refused_unless_they_are_allowed():
    family = TwoCells()
    env = family.vector_env(family.sample_tasks(2, split="train", seed=0))
    with pytest.raises(SplitError, match="--split test"):
        evaluate(FindsOut(), env, 3, seed=0)
    with pytest.raises(SplitError, match="--split test"):
        optimum(family, env.tasks, 3, seed=0)
    assert evaluate(FindsOut(), env, 3, seed=0, allow_training_tasks=True).episodes == 3


def test_next_step_autoreset_is_refused():
    family = TwoCells()
    env = family.vector_env(four_tasks(family))
    env.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
    with pytest.raises(AutoresetError, match="NEXT_STEP"):
        evaluate(FindsOut(), env, 3, seed=0)


def test_tasks_that_change_meanwhile_are_refused():
    family = TwoCells()
    env = family.vector_env(four_tasks(family))
    step = env.step

    def step_and_redraw(actions):
        env._tasks = env._tasks[[1, 0, 2, 3]]
        return step(actions)

    env.step = step_and_redraw
    with pytest.raises(TaskError, match="without episodes_per_task"):
        evaluate(FindsOut(), env, 3, seed=0)


def counters_of_which_one_breaks(row, step, part, number):
    """Four counters with episodes of three steps; in one step a number in one row is another."""
    family = CounterFamily()
    env = family.vector_env(family.sample_tasks(4, split="test", seed=0))
    count, plain_step = itertools.count(1), env.step

    def step_and_break(actions):
        observation, reward, *ended, info = plain_step(actions)
        if next(count) == step:
            shown = {"observation": observation, "outcome": info["final_obs"], "reward": reward}
            shown[part][row] = number
        return observation, reward, *ended, info

    env.step = step_and_break
    return env


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("part", ["outcome", "reward", "observation"])
def test_numbers_that_are_not_finite_are_refused(part, number):
    env = counters_of_which_one_breaks(1, 2, part, number)
    policy = RandomPolicy(env.single_action_space, "cpu")
    with pytest.raises(SpaceError, match=r"^Counter, environment 1, step 2: "):
        evaluate(policy, env, 2, seed=0)


def test_an_opening_that_is_not_finite_is_refused():
    family = CounterFamily()
    env = family.vector_env(family.sample_tasks(4, split="test", seed=0))
    reset = env.reset

    def broken(**arguments):
        observation, info = reset(**arguments)
        observation[3, 1] = np.nan
        return observation, info

    env.reset = broken
    with pytest.raises(SpaceError, match=r"^Counter, environment 3, step 0: "):
        evaluate(RandomPolicy(env.single_action_space, "cpu"), env, 1, seed=0)


def test_what_rows_show_that_are_done_is_not_looked_at():
    """Those with episodes of three steps have played their three after nine."""
    family = TwoCells()
    env = family.vector_env(four_tasks(family))
    count, step = itertools.count(1), env.step

    def step_and_break(actions):
        observation, reward, *rest = step(actions)
        if next(count) > 9:
            reward[:2] = torch.nan
        return observation, reward, *rest

    env.step = step_and_break
    returns = evaluate(FindsOut(), env, 3, seed=7).returns
    assert returns.tolist() == [[3, 3, 3], [2, 3, 3], [5, 5, 5], [4, 5, 5]]


@pytest.mark.parametrize("name", ["returns.npy", "success.npy", "tasks.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "altered"])
def test_a_damaged_file_is_named(tmp_path, name, damage):
    evaluation().save(tmp_path)
    path = tmp_path / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(data[:-5])
    else:
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DamagedFileError, match=name.replace(".", r"\.")):
        Evaluation.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "minari"}, "not an evaluation"),
        ({"version": 2}, "format version 2"),
        ({"checksums": None}, "damaged"),
        ({"episodes": 4}, r"returns\.npy holds float32 \(4, 3\), expected float32 \(4, 4\)"),
    ],
)
def test_a_foreign_or_altered_manifest_is_named(tmp_path, change, message):
    evaluation().save(tmp_path)
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DamagedFileError, match=message):
        Evaluation.load(tmp_path)


def test_a_folder_without_an_evaluation_is_named(tmp_path):
    with pytest.raises(DamagedFileError, match=r"evaluation\.json"):
        Evaluation.load(tmp_path)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="holds something else"):
        evaluation().save(tmp_path)
    replace(evaluation(), agent="rival").save(tmp_path / "result")
    with pytest.raises(OutputError, match=r"another result: agent 'rival', here 'finds-out'"):
        evaluation().save(tmp_path / "result")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("change", [{"training_seed": 5}, {"details": {"settings": {"window": 7}}}])
def test_a_result_of_an_agent_that_was_trained_otherwise_is_not_overwritten(tmp_path, change):
    evaluation(training_seed=3).save(tmp_path)
    other = replace(evaluation(training_seed=3), **change)
    with pytest.raises(OutputError, match=next(iter(change)).replace("_", " ")):
        other.save(tmp_path)
    other.save(tmp_path, replace=True)
    assert Evaluation.load(tmp_path).details == other.details
