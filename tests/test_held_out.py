"""What an agent is evaluated on is what it never learned from, and stands beside what it should."""

from pathlib import Path

import pytest

from icrl.cli import main
from icrl.cli.options import parse
from icrl.cli.settings import companion_config, completed, configs
from icrl.plugins.lookup import provided

ROOM = "icrl/DarkRoom-v0"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `ad` at the smallest budget."""
    out = tmp_path_factory.mktemp("held-out") / "run"
    assert main(["run", "ad", ROOM, "--budget", "smoke", "--quiet", "--out", str(out)]) == 0
    return out


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The message of a command that must fail as wrong usage."""
    assert main(argv) == 2
    return " ".join(capsys.readouterr().err.split())


def test_histories_of_held_out_tasks_are_refused_before_anything_is_written(run, tmp_path, capsys):
    store, out = str(run / "companions" / "source"), tmp_path / "agent"
    message = refused(capsys, "train", "ad", ROOM, "--histories", store, "--out", str(out))
    assert "tasks to be evaluated on (test) were learned from" in message
    assert not out.exists()


def test_histories_that_are_not_there_leave_the_directory_free(tmp_path, capsys):
    out = tmp_path / "agent"
    message = refused(capsys, "train", "ad", ROOM, "--histories", "nope", "--out", str(out))
    assert "there is no history store in nope" in message
    assert not out.exists()


def test_another_split_of_the_tasks_is_refused_in_an_evaluation(run, tmp_path, capsys):
    argv = ["evaluate", str(run), "--env.split_seed", "5", "--budget", "smoke", "--quiet"]
    message = refused(capsys, *argv, "--out", str(tmp_path / "result"))
    assert "were learned from" in message and "--env.split_seed" in message


def test_an_evaluation_shows_its_figures(run, tmp_path, capsys):
    argv = ["evaluate", str(run), "--budget", "smoke", "--quiet", "--json"]
    assert main([*argv, "--out", str(tmp_path / "result")]) == 0
    assert '"agent": "ad"' in capsys.readouterr().out


def expert(*argv: str):
    """The settings that `ed` gets beside an `ad` with these flags."""
    options = completed(parse(["run", "ad", ROOM, *argv]))
    agent, _ = configs(options, provided("agents", "ad"), None)
    return agent, companion_config(options, provided("agents", "ed"), agent)


def test_a_saved_record_as_config_leaves_the_companion_what_it_is(run):
    _, usual = expert("--budget", "smoke")
    _, again = expert("--config", str(run / "agent" / "run.toml"))
    assert usual.last_part == again.last_part == 0.1
    assert again.updates == usual.updates


def test_a_flag_of_the_agent_holds_for_its_companion():
    agent, companion = expert("--agent.width", "96", "--agent.last_part", "0.7")
    assert (agent.width, companion.width) == (96, 96)
    assert (agent.last_part, companion.last_part) == (0.7, 0.1)
