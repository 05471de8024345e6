"""Pictures of a trained model: forecasts by hand on a known system, and what the command draws."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from icrl.agent import Interface
from icrl.errors import UsageError
from icrl.files import write_json
from icrl.plugins import make_family
from icrl.run import Run
from icrl.tasks import Tasks
from icrl.trained import TRAINED
from icrl.training_view import training_view
from icrl_cadm.config import CaDMConfig
from icrl_cadm.drawing import parameters
from icrl_cadm.forecasts import Forecast, Played, Trajectory, contexts, projected
from icrl_cadm.imagination import Forecaster
from icrl_cadm.learning import CaDMAgent
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.learning import ModelFreeAgent
from icrl_cadm.pictures import main, named, shown_splits
from icrl_cadm.transitions import Transitions

CPU = torch.device("cpu")


class Pushes(Forecaster):
    """Two members, one of which moves by the control and one by three times as much."""

    members, probabilistic = 2, False

    def told(self, history):
        return history.filled

    def following(self, told, state, control, noise):
        return state + torch.tensor([1.0, 3.0])[:, None, None, None] * control

    def outcome(self, told, state, control, following):
        raise AssertionError("a forecast asks for no reward")


def pushing() -> Any:
    """An agent of which a forecast needs its policy's model and how much it remembers."""
    policy = SimpleNamespace(forecaster=Pushes())
    config = SimpleNamespace(past=1, probabilistic=False)
    return SimpleNamespace(policy=lambda: policy, config=config)


def pushed(moves: float) -> Transitions:
    """Two environments, [0, 1, 2, 3, 4] times `moves` and the same, but for a new episode from 10
    on after two steps; the control is 1 throughout.
    """
    steps = torch.arange(4.0)
    state = torch.stack([steps, torch.tensor([0.0, 1, 10, 11])], 1)[..., None]
    start = torch.tensor([0.0, 0, 10, 10])[:, None]
    state[:, 1] = (state[:, 1] - start) * moves + start
    state[:, 0] *= moves
    ones = torch.ones(4, 2)
    return Transitions.of(
        state=state,
        control=ones[..., None],
        following=state + moves,
        reward=ones,
        terminated=ones < 0,
        opens=torch.tensor([[1, 1], [0, 0], [0, 1], [0, 0]]).bool(),
        validation=0.0,
        generator=torch.Generator(),
    )


TASKS = Tasks("test/Pushed-v0", {}, "train", {"push": torch.tensor([2.0, 5.0])})


# Forecasts.


def test_a_forecast_goes_on_from_what_it_imagined():
    """The members' average moves by 2 a step."""
    forecast = Forecast.of(pushing(), pushed(1.0), torch.tensor([0, 6]), 3)
    assert forecast.imagined[..., 0].tolist() == [[2, 4, 6], [12, 14, 16]]


def test_a_forecast_ends_where_its_episode_does():
    forecast = Forecast.of(pushing(), pushed(1.0), torch.tensor([0, 6]), 3)
    assert forecast.there.tolist() == [[True] * 3, [True, True, False]]
    assert forecast.real[0, :, 0].tolist() == [1, 2, 3]


def test_an_error_is_measured_at_each_horizon():
    """Off by 1, 2, 3 where a step moves by 1; half of that counts as 1."""
    forecast = Forecast.of(pushing(), pushed(1.0), torch.tensor([0, 6]), 3)
    assert forecast.errors(torch.tensor([0.5])).tolist() == [2, 4, 6]


def test_a_model_that_is_right_has_no_error():
    forecast = Forecast.of(pushing(), pushed(2.0), torch.tensor([0, 6]), 3)
    assert forecast.errors(torch.ones(1)).tolist() == [0, 0, 0]


def test_beyond_every_episode_there_is_no_error():
    forecast = Forecast.of(pushing(), pushed(1.0), torch.tensor([6]), 3)
    assert forecast.errors(torch.ones(1))[2].isnan()


def test_what_is_imagined_after_an_episodes_end_does_not_count():
    imagined = torch.tensor([[[1.0], [torch.inf]], [[3.0], [3.0]]])
    there = torch.tensor([[True, False], [True, True]])
    forecast = Forecast(imagined, torch.zeros(2, 2, 1), there)
    assert forecast.errors(torch.ones(1)).tolist() == pytest.approx([5**0.5, 3])


def test_numbers_that_never_change_do_not_count():
    real = torch.zeros(1, 1, 2)
    forecast = Forecast(torch.tensor([[[3.0, 7.0]]]), real, torch.ones(1, 1).bool())
    assert forecast.errors(torch.tensor([1.0, 0.0])).tolist() == [3]


def test_forecasts_start_once_a_context_is_full():
    assert Played(TASKS, pushed(1.0)).starts(1).tolist() == [1, 2, 3, 5, 7]


def test_episodes_that_are_too_short_are_refused():
    with pytest.raises(UsageError, match=r"no episode lasted longer than the 4 steps"):
        Played(TASKS, pushed(1.0)).starts(4)


def test_a_transition_belongs_to_the_task_of_its_row():
    assert Played(TASKS, pushed(1.0)).task(torch.tensor([0, 3, 4, 7])).tolist() == [0, 0, 1, 1]


def test_the_longest_episode_is_shown():
    assert Played(TASKS, pushed(1.0)).longest().tolist() == [0, 1, 2, 3]


def test_a_trajectory_is_imagined_anew_on_its_way():
    trajectory = Trajectory.of(pushing(), Played(TASKS, pushed(1.0)), past=1, horizon=2)
    assert trajectory.task == {"push": 2}
    assert trajectory.real[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert [(begin, x[:, 0].tolist()) for begin, x in trajectory.imagined] == [
        (1, [3, 5]),
        (3, [5]),
    ]


# Contexts.


def test_contexts_lie_on_their_principal_components():
    line = torch.linspace(-1, 1, 11)
    points = torch.stack([3 * line, torch.zeros(11), 4 * line + 7], 1)
    flat, shares = projected(points)
    assert shares == pytest.approx([1, 0], abs=1e-6)
    torch.testing.assert_close(flat[:, 0].abs(), 5 * line.abs())


def test_a_context_of_one_number_has_a_second_of_zero():
    flat, shares = projected(torch.tensor([[1.0], [3.0]]))
    assert flat[:, 1].tolist() == [0, 0] and shares[1] == 0


def test_what_colours_are_the_numbers_in_which_tasks_differ():
    arrays = {"mass": torch.tensor([[1.0, 2.0], [1.0, 3.0]]), "length": torch.tensor([4, 4])}
    tasks = {"train": Tasks("test/Any-v0", {}, "train", arrays)}
    found = parameters(tasks)
    assert {name: values["train"].tolist() for name, values in found.items()} == {"mass 2": [2, 3]}


# The command.


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory) -> Path:
    """A tiny model of Gymnasium's pendulum, trained on a few steps."""
    directory = tmp_path_factory.mktemp("run")
    family = make_family("Pendulum-v1")
    config = CaDMConfig(
        iterations=1,
        num_envs=2,
        steps_per_iteration=40,
        epochs=1,
        members=2,
        particles=2,
        probabilistic=True,
        past=3,
        encoder=(5,),
        hidden=(7,),
        context_size=5,
        horizon=2,
        candidates=3,
        elites=1,
        refinements=1,
    )
    agent = CaDMAgent(config, Interface.of(family), CPU)
    agent.learn(training_view(family, 5, seed=0), Run(directory / "learning", quiet=True))
    agent.save(directory / "agent")
    write_json(directory / "agent" / TRAINED, {"agent": "cadm"})
    return directory


def arguments(run: Path, out: Path, *more: str) -> list[str]:
    sizes = ["--tasks", "3", "--steps", "30", "--horizon", "5"]
    return [str(run), "--out", str(out), *sizes, *more]


def test_the_command_draws_three_pictures(run_directory, tmp_path, capsys):
    assert main(arguments(run_directory, tmp_path, "--planned")) == 0
    names = {"prediction-error.png", "context.png", "imagined.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert all(path.stat().st_size > 10_000 for path in tmp_path.iterdir())
    assert capsys.readouterr().out.count(".png") == 3


def test_contexts_are_the_first_members(run_directory):
    agent = CaDMAgent.load(run_directory / "agent", CPU)
    played = Played.by(
        agent,
        make_family("Pendulum-v1"),
        "test",
        num_tasks=2,
        steps=11,
        planned=False,
        seed=0,
    )
    starts = played.starts(3)
    history = played.transitions.history(starts, 3)
    found = contexts(agent, played.transitions, starts)
    assert found.shape == (16, 5)
    assert torch.equal(found, agent.model.context(history)[0])


def test_a_run_without_a_model_is_refused(tmp_path, capsys):
    assert main(arguments(tmp_path / "nothing", tmp_path)) == 2
    assert "holds no run" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--tasks", "--steps", "--horizon"])
def test_numbers_below_one_are_refused(run_directory, tmp_path, capsys, option):
    with pytest.raises(SystemExit) as error:
        main([str(run_directory), "--out", str(tmp_path), option, "0"])
    assert error.value.code == 2
    assert f"argument {option}: '0' is not a positive number" in capsys.readouterr().err


def test_a_model_of_episodes_openings_is_refused(tmp_path, capsys):
    interface = Interface.of(make_family("Pendulum-v1"))
    ModelFreeAgent(ModelFreeConfig(context="probed"), interface, CPU).save(tmp_path / "agent")
    write_json(tmp_path / "agent" / TRAINED, {"agent": "ppo-ep"})
    assert main(arguments(tmp_path, tmp_path / "pictures")) == 2
    assert "embeds the first transitions of an episode" in capsys.readouterr().err


def test_runs_are_named_by_what_tells_them_apart():
    runs = [Path("a/cadm/seed-0"), Path("b/cadm/seed-0"), Path("b/cadm/seed-1")]
    assert [name for name, _ in named(runs)] == ["a/cadm/seed-0", "b/cadm/seed-0", "b/cadm/seed-1"]
    assert named(runs[:1])[0][0] == "seed-0"


def test_parts_of_the_test_split_stand_for_it():
    assert shown_splits(("train", "test")) == ["train", "test"]
    assert shown_splits(("train", "test", "moderate", "extreme")) == [
        "train",
        "moderate",
        "extreme",
    ]
