"""Training a Stable-Baselines3 model: what is logged, kept, and gone on with."""

import csv
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecEnv

from icrl.errors import ConfigError, DamagedFileError
from icrl.families import TaskFamily
from icrl.run import Run
from icrl.sb3 import TaskVecEnv, algorithm, learn, make_model, normalized, own_globals
from icrl.sb3.checkpoints import model_tensors
from icrl.testing.counter import CounterFamily
from icrl.testing.flashes import Flash, FlashFamily
from icrl.wrapped import GymnasiumFamily

ROLLOUT = {"n_steps": 5, "batch_size": 10}
REPLAY = {"buffer_size": 97, "learning_starts": 10, "batch_size": 7}
NETWORK = {"policy_kwargs": {"net_arch": [3]}}
RECURRENT = {"policy_kwargs": {"net_arch": [3], "lstm_hidden_size": 3}}
ON_POLICY = [
    ("A2C", NETWORK),
    ("PPO", ROLLOUT | NETWORK | {"n_epochs": 2}),
    ("TRPO", ROLLOUT | NETWORK),
    ("RecurrentPPO", ROLLOUT | RECURRENT | {"n_epochs": 1}),
]
OFF_POLICY = [
    *((name, REPLAY | NETWORK) for name in ("SAC", "TD3", "DDPG", "CrossQ", "TQC")),
    ("SAC", REPLAY | NETWORK | {"ent_coef": 0.1}),
]
EVERY = [*ON_POLICY, *OFF_POLICY]


def new_model(
    name: str = "PPO",
    settings: dict[str, Any] | None = None,
    family: TaskFamily | None = None,
    normalize: bool = False,
) -> BaseAlgorithm:
    family = family or CounterFamily()
    env: VecEnv = TaskVecEnv(family.vector_env(family.sample_tasks(2, seed=0)))
    settings = ROLLOUT | NETWORK | {"n_epochs": 1} if settings is None else settings
    if normalize:
        env = normalized(env)
    return make_model(algorithm(name), env, seed=3, settings=settings)


def trained(directory: Path, *model: Any, steps: int = 40, **keywords: Any) -> BaseAlgorithm:
    """A model that learned in a run, which may have begun before."""
    with own_globals():
        made = new_model(*model, **keywords)
        learn(made, Run(directory, quiet=True), steps=steps)
    return made


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_same(one: BaseAlgorithm, other: BaseAlgorithm) -> None:
    first, second = model_tensors(one), model_tensors(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


class Killed(Exception):
    """Stands for a process that dies."""


class Dying(Run):
    """A run that keeps every checkpoint that it can, and dies after one of a step."""

    last = 20

    def checkpoint_due(self):
        return True

    def save_checkpoint(self, step, tensors, state):
        super().save_checkpoint(step, tensors, state)
        if step >= self.last:
            raise Killed


def killed(directory: Path, *model: Any, steps: int = 40, **keywords: Any) -> None:
    with own_globals(), pytest.raises(Killed):
        learn(new_model(*model, **keywords), Dying(directory, quiet=True), steps=steps)


# What a run gets.


@pytest.mark.parametrize(("name", "settings"), EVERY)
def test_a_model_learns_to_so_many_steps(tmp_path: Path, name: str, settings: Any):
    model, untrained = trained(tmp_path, name, settings), new_model(name, settings)
    assert model.num_timesteps == 40
    before, after = untrained.policy.state_dict(), model.policy.state_dict()
    assert any(not torch.equal(after[key], before[key]) for key in after)
    assert all(tensor.isfinite().all() for tensor in after.values())


def test_the_last_rollout_is_whole(tmp_path: Path):
    assert trained(tmp_path, steps=41).num_timesteps == 50


def test_what_sb3_logs_is_the_runs(tmp_path: Path):
    trained(tmp_path, steps=40)
    found = rows(tmp_path)
    assert [int(row["step"]) for row in found] == [10, 20, 30, 40]
    assert all(float(row["rollout/ep_rew_mean"]) == 6.0 for row in found)  # 1 + 2 + 3
    assert all(float(row["rollout/success_rate"]) == 1.0 for row in found)
    assert all(np.isfinite(float(row["train/loss"])) for row in found)
    assert "time/total_timesteps" not in found[0]


def test_a_long_run_is_not_logged_at_every_rollout(tmp_path: Path):
    trained(tmp_path, "SAC", REPLAY | NETWORK, steps=900)
    assert 100 <= len(rows(tmp_path)) <= 200


def test_nothing_is_printed_or_written_elsewhere(tmp_path: Path, capsys: Any, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)
    trained(tmp_path / "run")
    assert capsys.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"checkpoint.safetensors", "progress.csv", "tensorboard"}


def test_progress_shows_steps_beside_the_mean_return(tmp_path: Path, capsys: Any):
    with own_globals():
        learn(new_model(), Run(tmp_path), steps=47, description="the members")
    assert "the members: 47/47" in (line := capsys.readouterr().err)
    assert "return 6" in line


# What it takes from the whole process.


def test_small_networks_get_one_thread_where_convolutions_get_all():
    had = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for space, threads in (
            (None, 1),
            (spaces.Discrete(5), 1),
            (spaces.Dict(camera=Flash.observation_space), 3),
        ):
            with own_globals(space):
                assert torch.get_num_threads() == threads
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(had)


def test_global_generators_are_left_as_they_were():
    def drawn() -> list[float]:
        return [random.random(), np.random.rand(), torch.rand(()).item()]  # noqa: NPY002

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    expected = drawn()
    random.setstate(states[0]), np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])
    with own_globals():
        set_random_seed(7)
        drawn()
    assert drawn() == expected


# Going on.


@pytest.mark.parametrize(("name", "settings"), EVERY)
def test_a_finished_run_is_read_back_bit_for_bit(tmp_path: Path, name: str, settings: Any):
    first = trained(tmp_path, name, settings)
    log = (tmp_path / "progress.csv").read_bytes()
    again = trained(tmp_path, name, settings)
    assert_same(first, again)
    assert (again._n_updates, again.num_timesteps) == (first._n_updates, 40)
    assert (tmp_path / "progress.csv").read_bytes() == log


@pytest.mark.parametrize("name", ["DQN", "QR-DQN"])
def test_a_learner_of_discrete_actions_is_read_back(tmp_path: Path, name: str):
    discrete = (name, REPLAY | NETWORK, GymnasiumFamily("CartPole-v1"))
    assert_same(trained(tmp_path, *discrete), trained(tmp_path, *discrete))


def test_convolutions_that_actor_and_critic_share_are_read_back(tmp_path: Path):
    pixels = ("PPO", {"n_steps": 2, "batch_size": 4, "n_epochs": 1}, FlashFamily())
    first = trained(tmp_path, *pixels, steps=8)
    assert_same(first, trained(tmp_path, *pixels, steps=8))


@pytest.mark.parametrize(("name", "settings"), [*ON_POLICY[:2], *OFF_POLICY[:1]])
def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path: Path, name: str, settings: Any):
    killed(tmp_path, name, settings)
    found = Run(tmp_path).load_checkpoint()
    assert found is not None and found[0] == 20
    model = trained(tmp_path, name, settings)
    assert model.num_timesteps == 40
    steps = [int(row["step"]) for row in rows(tmp_path)]
    assert steps == sorted(set(steps)) and steps[-1] == 40
    moved = model_tensors(model)
    assert any(not torch.equal(moved[key], tensor) for key, tensor in found[1].items())


def test_schedules_go_on_where_they_were(tmp_path: Path):
    rates = []
    for run in ("whole", "killed"):
        settings = ROLLOUT | NETWORK | {"n_epochs": 1, "learning_rate": lambda left: 1e-3 * left}
        if run == "killed":
            killed(tmp_path / run, "PPO", settings)
        trained(tmp_path / run, "PPO", settings)
        rates.append([float(row["train/learning_rate"]) for row in rows(tmp_path / run)])
    assert rates[0] == rates[1] == pytest.approx([7.5e-4, 5e-4, 2.5e-4, 0])


@pytest.mark.parametrize("name", ["PPO", "SAC"])
def test_statistics_of_observations_go_on(tmp_path: Path, name: str):
    model = (name, ROLLOUT | NETWORK if name == "PPO" else REPLAY | NETWORK)
    killed(tmp_path, *model, normalize=True)
    known = trained(tmp_path, *model, normalize=True).get_vec_normalize_env()
    assert known is not None and not isinstance(known.obs_rms, dict)
    # Each run sees its reset and its steps in two rows.
    assert known.obs_rms.count == pytest.approx(20 + 2 + 20 + 2, abs=0.01)
    assert known.obs_rms.mean[0] == pytest.approx(1.0, abs=0.1)  # of 0, 1, 2
    assert known.ret_rms.count == pytest.approx(40, abs=0.01)


def test_episodes_after_a_checkpoint_are_not_those_of_the_beginning(tmp_path: Path):
    settings = ROLLOUT | NETWORK | {"n_epochs": 1, "learning_rate": 0.0}
    killed(tmp_path / "on", "PPO", settings)
    drawn = []
    for run, steps in (("on", 40), ("anew", 20)):  # of each the second rollout since its start
        model = trained(tmp_path / run, "PPO", settings, steps=steps)
        drawn.append(model.rollout_buffer.actions.copy())  # type: ignore[attr-defined]
    assert not np.isclose(*drawn).any()


def test_an_interrupted_run_loses_no_update(tmp_path: Path):
    class Pressed(Run):
        """A run in which the user presses Ctrl-C after the second update."""

        def log(self, step: int, scalars: Any) -> None:
            super().log(step, scalars)
            if step == 20:
                signal.raise_signal(signal.SIGINT)

    with own_globals(), pytest.raises(KeyboardInterrupt):
        learn(model := new_model(), Pressed(tmp_path, quiet=True), steps=40)
    found = Run(tmp_path).load_checkpoint()
    assert found is not None and found[0] == 20 and model.num_timesteps == 22
    for name, tensor in model_tensors(model).items():
        assert torch.equal(found[1][name], tensor), name


def test_a_replay_buffer_is_filled_again_before_it_is_learned_from(tmp_path: Path):
    settings = REPLAY | NETWORK | {"learning_starts": 12}
    killed(tmp_path, "SAC", settings)
    found = Run(tmp_path).load_checkpoint()
    assert found is not None
    # Rollouts of two steps learn once they end past step 12: at 14, 16, 18, 20.
    assert found[2]["counters"]["_n_updates"] == 4
    model = trained(tmp_path, "SAC", settings)
    assert model._n_updates == 4 + 4  # the same of another twenty steps
    assert model.gradient_steps == 1  # type: ignore[attr-defined]


def test_a_run_too_short_to_fill_the_buffer_again_still_ends_as_it_was(tmp_path: Path):
    settings = REPLAY | NETWORK | {"learning_starts": 19}
    killed(tmp_path, "SAC", settings, steps=24)
    model = trained(tmp_path, "SAC", settings, steps=24)
    assert (model.num_timesteps, model.gradient_steps) == (24, 1)  # type: ignore[attr-defined]


# Refusals.


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path):
    trained(tmp_path)
    with pytest.raises(ConfigError, match=r"other settings \(steps = 40, now 60\)"):
        trained(tmp_path, steps=60)
    with pytest.raises(ConfigError, match=r"algorithm = PPO, now A2C"):
        trained(tmp_path, "A2C", NETWORK)


def test_settings_of_the_caller_are_compared(tmp_path: Path):
    for rate in (0.1, 0.2):
        with own_globals():
            model, run = new_model(), Run(tmp_path, quiet=True)
            if rate == 0.1:
                learn(model, run, steps=10, settings={"nested": {"rate": rate, "sizes": (3, 5)}})
                continue
            with pytest.raises(ConfigError, match=r"'rate': 0\.1.*now.*'rate': 0\.2"):
                learn(model, run, steps=10, settings={"nested": {"rate": rate, "sizes": (3, 5)}})


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path):
    trained(tmp_path)
    wide = ROLLOUT | {"n_epochs": 1, "policy_kwargs": {"net_arch": [3, 5]}}
    with pytest.raises(DamagedFileError, match="weights of another network"):
        trained(tmp_path, "PPO", wide)


def test_a_foreign_checkpoint_is_refused(tmp_path: Path):
    Run(tmp_path).save_checkpoint(20, {"weight": torch.ones(3)}, {})
    with pytest.raises(DamagedFileError, match="is no checkpoint of this agent"):
        trained(tmp_path)


def test_what_sb3_asserts_while_it_learns_is_about_the_settings(tmp_path: Path):
    settings = REPLAY | NETWORK | {"train_freq": [1, "episode"]}
    with pytest.raises(ConfigError, match="SAC stopped: You must use only one env"):
        trained(tmp_path, "SAC", settings)
