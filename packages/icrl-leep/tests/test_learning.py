"""Learning across tasks: what members see, what is kept, and what is refused before it begins."""

import csv
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import icrl
from icrl.agent import Interface
from icrl.cli import main
from icrl.errors import ConfigError, DamagedFileError, TaskError
from icrl.families import TaskFamily
from icrl.random_agent import RandomPolicy
from icrl.run import Run
from icrl.tasks import Tasks
from icrl.testing import ACCELERATOR, Corridor, random_trial
from icrl.testing.counter import CounterFamily
from icrl.testing.flashes import FlashFamily
from icrl.training_view import training_view
from icrl_leep.config import LEEPConfig
from icrl_leep.learning import LEEPAgent

CPU = torch.device("cpu")
SMALL = LEEPConfig(
    members=2,
    steps=60,
    num_envs=6,
    rollout=5,
    epochs=2,
    minibatches=1,
    hidden=(7,),
    channels=(2, 3),
    link_samples=3,
)


def agent_for(family: TaskFamily, config: LEEPConfig = SMALL) -> LEEPAgent:
    return LEEPAgent(config, Interface.of(family), CPU)


def learned(
    directory: Path, family: TaskFamily | None = None, config: LEEPConfig = SMALL, **settings
) -> LEEPAgent:
    family = family or Corridor()
    agent = agent_for(family, config)
    agent.learn(training_view(family, None, seed=0), Run(directory, quiet=True, **settings))
    return agent


def weights(agent: LEEPAgent) -> dict[str, torch.Tensor]:
    return agent.members.networks.state_dict()


def same_weights(one: LEEPAgent, other: LEEPAgent) -> bool:
    theirs = weights(other)
    return all(torch.equal(tensor, theirs[name]) for name, tensor in weights(one).items())


def actions(agent: LEEPAgent) -> list[torch.Tensor]:
    """What its policy does in 31 rows, at three steps."""
    generator = torch.Generator().manual_seed(0)
    spaces = agent.interface.observation_space, agent.interface.action_space
    policy = agent.policy()
    return [
        policy.act(timestep, None, generator)[0]
        for timestep in random_trial(*spaces, 31, 3, torch.Generator().manual_seed(1))
    ]


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("family", [Corridor, CounterFamily, FlashFamily])
def test_every_member_learns(tmp_path, family):
    agent = learned(tmp_path, family())
    start = weights(agent_for(family()))
    for name, tensor in weights(agent).items():
        assert tensor.isfinite().all(), name
        if name.startswith(("actor", "critic")):
            assert (tensor != start[name]).flatten(1).any(1).all(), name


def test_rewards_may_be_normalised(tmp_path):
    agent = learned(tmp_path, config=replace(SMALL, normalize_rewards=True))
    assert not same_weights(agent, learned(tmp_path / "without"))


def test_the_learning_rate_and_alpha_go_by_a_straight_line(tmp_path):
    annealed = replace(SMALL, schedule="linear", learning_rate=1e-3, alpha=1.0, final_alpha=0.2)
    learned(tmp_path, config=annealed)
    (first, last) = rows(tmp_path)
    rates = [float(row["train/learning_rate"]) for row in (first, last)]
    assert rates == pytest.approx([5e-4, 0])
    assert [float(row["train/alpha"]) for row in (first, last)] == pytest.approx([0.6, 0.2])


def test_the_link_is_logged(tmp_path):
    learned(tmp_path)
    assert all(float(row["train/link"]) > 0 for row in rows(tmp_path))


def content(tasks: Tasks) -> set[tuple[float, float]]:
    goal, gain = tasks.arrays["goal"], tasks.arrays["gain"][:, 0]
    return set(zip(goal.tolist(), gain.tolist(), strict=True))


class Watched(Corridor):
    """Keeps the goals and gains that were played."""

    def __init__(self) -> None:
        super().__init__()
        self.played = []

    def vector_env(self, tasks, **keywords):
        self.played.append((tasks, keywords["num_envs"], keywords["episodes_per_task"]))
        return super().vector_env(tasks, **keywords)


def test_members_play_bootstraps_of_the_training_tasks(tmp_path):
    family = Watched()
    learned(tmp_path, family)
    test = family.sample_tasks(family.num_tasks["test"], split="test", seed=0)
    assert len(family.played) == 2
    for tasks, num_envs, episodes in family.played:
        assert (tasks.split, num_envs, episodes) == ("train", 3, 1)
        assert content(tasks) and not content(tasks) & content(test)
    first, second = (content(tasks) for tasks, *_ in family.played)
    assert first != second


def test_members_play_all_training_tasks_where_no_bootstrap_is_wanted(tmp_path):
    family = Watched()
    learned(tmp_path, family, replace(SMALL, bootstrap=False))
    train = family.sample_tasks(family.num_tasks["train"], split="train", seed=0)
    assert [content(tasks) for tasks, *_ in family.played] == [content(train)] * 2


def test_the_progress_bar_says_what_is_linked(tmp_path, capsys):
    view = training_view(Corridor(), None, seed=0)
    agent_for(Corridor()).learn(view, Run(tmp_path))
    assert "learning, linking the action: 60/60" in capsys.readouterr().err


# Runs.


def test_equal_seeds_learn_equal_weights(tmp_path):
    first, second = (learned(tmp_path / name, seed=3) for name in ("first", "second"))
    assert same_weights(first, second)
    assert not same_weights(first, learned(tmp_path / "other", seed=4))


def test_learning_leaves_the_global_generators_alone(tmp_path):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    learned(tmp_path)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


class Killed(Exception):
    """Stands for a process that dies."""


class Dying(Run):
    """A run that keeps every checkpoint that it can, and dies after the first."""

    def checkpoint_due(self):
        return True

    def save_checkpoint(self, step, tensors, state):
        super().save_checkpoint(step, tensors, state)
        if step >= 30:
            raise Killed


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path):
    with pytest.raises(Killed):
        agent_for(Corridor()).learn(
            training_view(Corridor(), None, seed=0), Dying(tmp_path, quiet=True)
        )
    step, tensors, _ = Run(tmp_path).load_checkpoint()
    assert step == 30
    agent = learned(tmp_path)
    assert [int(row["step"]) for row in rows(tmp_path)] == [30, 60]
    kept = tensors["policy/networks.actor.last.weight"]
    assert not torch.equal(agent.members.networks.actor.last.weight, kept)


def test_an_interrupted_run_keeps_what_it_learned(tmp_path):
    class Pressed(Run):
        """A run in which the user presses Ctrl-C after the first update."""

        def log(self, step, scalars):
            super().log(step, scalars)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        agent_for(Corridor()).learn(
            training_view(Corridor(), None, seed=0), Pressed(tmp_path, quiet=True)
        )
    assert Run(tmp_path).load_checkpoint()[0] == 30


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    first = learned(tmp_path)
    log = (tmp_path / "progress.csv").read_text()
    assert same_weights(learned(tmp_path), first)
    assert (tmp_path / "progress.csv").read_text() == log


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    learned(tmp_path, config=replace(SMALL, alpha=0.4))
    with pytest.raises(ConfigError, match=r"other settings .*alpha = 0\.4, now 0\.5"):
        learned(tmp_path, config=replace(SMALL, alpha=0.5))


# Files.


@pytest.mark.parametrize("family", [Corridor, CounterFamily, FlashFamily])
def test_a_loaded_agent_acts_as_the_saved_one(tmp_path, family):
    agent = learned(tmp_path / "run", family())
    agent.save(tmp_path / "agent")
    names = sorted(path.name for path in (tmp_path / "agent").iterdir())
    assert names == ["config.toml", "interface.json", "weights.safetensors"]
    loaded = LEEPAgent.load(tmp_path / "agent", CPU)
    assert (loaded.config, loaded.interface) == (agent.config, agent.interface)
    assert same_weights(loaded, agent)
    assert all(map(torch.equal, actions(loaded), actions(agent)))


@pytest.mark.filterwarnings("ignore:.*to a meta parameter")  # it has no values
def test_a_loaded_agent_is_on_its_device(tmp_path):
    agent_for(Corridor()).save(tmp_path)
    loaded = LEEPAgent.load(tmp_path, ACCELERATOR)
    assert {weight.device for weight in loaded.policy().members.parameters()} == {ACCELERATOR}


@pytest.mark.parametrize("name", ["config.toml", "interface.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_a_damaged_agent_is_refused_by_the_file(tmp_path, name, damage):
    agent_for(Corridor()).save(tmp_path)
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.write_bytes(b"{ this is something else")
    with pytest.raises((DamagedFileError, ConfigError), match=name.replace(".", r"\.")):
        LEEPAgent.load(tmp_path, CPU)


def test_settings_cut_off_at_the_end_of_a_line_are_refused(tmp_path):
    agent_for(Corridor()).save(tmp_path)
    path = tmp_path / "config.toml"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    with pytest.raises(DamagedFileError, match=r"config\.toml lacks"):
        LEEPAgent.load(tmp_path, CPU)


def test_weights_of_other_settings_are_refused(tmp_path):
    agent_for(Corridor()).save(tmp_path)
    replace(agent_for(Corridor()).config, hidden=(5,)).save(tmp_path / "config.toml")
    with pytest.raises(DamagedFileError, match=r"weights\.safetensors does not fit the settings"):
        LEEPAgent.load(tmp_path, CPU)


# Refusals, before anything is trained.


def test_fewer_training_tasks_than_members_are_refused(tmp_path):
    config = replace(SMALL, members=3)
    few = training_view(Corridor(), 2, seed=0)
    with pytest.raises(TaskError, match=r"2 training tasks .* for 3 members.*--num-tasks 3"):
        agent_for(Corridor(), config).learn(few, Run(tmp_path, quiet=True))
    assert not list(tmp_path.iterdir())


def test_too_few_tasks_are_refused_on_the_command_line(tmp_path, capsys):
    argv = ["train", "leep", "icrl/GridMaze-v0", "--num-tasks", "2", "--budget", "smoke"]
    assert main([*argv, "--quiet", "--out", str(tmp_path / "run")]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "2 training tasks of icrl/GridMaze-v0 for 4 members" in message
    assert "Traceback" not in message
    argv[4] = "4"  # as it says
    assert main([*argv, "--agent.steps", "8", "--quiet", "--out", str(tmp_path / "run")]) == 0


def test_a_negative_weight_is_refused_on_the_command_line(tmp_path, capsys):
    argv = ["train", "leep", "icrl/GridMaze-v0", "--agent.alpha", "-1", "--budget", "smoke"]
    assert main([*argv, "--quiet", "--out", str(tmp_path / "run")]) == 2
    assert "alpha is -1.0; it must be finite and not negative" in capsys.readouterr().err


# It learns.


@pytest.mark.slow
def test_on_mazes_that_it_never_saw_it_earns_more_than_chance(tmp_path):
    """By a permutation test: were both alike, each maze's difference could as well have the other
    sign.
    """
    sizes = {"size": 3, "horizon": 50, "num_train_tasks": 40, "num_test_tasks": 41}
    family = icrl.make_family("icrl/GridMaze-v0", **sizes)
    agent = agent_for(family, LEEPConfig(steps=80_000, num_envs=32, alpha=0.1))
    agent.learn(training_view(family, None, seed=0), Run(tmp_path, quiet=True))
    held_out = family.sample_tasks(41, split="test", seed=0)
    ours, chance = (
        icrl.evaluate(policy, family.vector_env(held_out), episodes=2, seed=0).returns.mean(1)
        for policy in (agent.policy(), RandomPolicy(family.action_space, CPU))
    )
    gained = ours - chance
    signs = np.random.default_rng(0).choice((-1, 1), size=(10_000, len(gained)))
    at_least = (signs * gained).mean(1) >= gained.mean()
    assert (1 + at_least.sum()) / 10_001 < 1e-3, (ours.mean(), chance.mean())
