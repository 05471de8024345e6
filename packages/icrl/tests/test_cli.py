"""The command line of the core alone: parsing, listing, refusals, exit codes."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import icrl
from icrl.cli import main
from icrl.cli.options import parse
from icrl.cli.record import RunRecord
from icrl.cli.settings import family_arguments
from icrl.errors import DamagedFileError, OutputError, TaskError, UsageError
from icrl.files import read_json, read_toml
from icrl.random_agent import RandomAgent


@pytest.fixture
def refused(capsys):
    """Runs a command that must fail: `refused(2, "run", "ad")` gives its message."""

    def run(code: int, *argv: str) -> str:
        assert main(argv) == code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return " ".join(captured.err.split())

    return run


# What a command was given.


def test_options_and_names_may_come_in_any_order():
    options = parse(["train", "--seed", "3", "ad", "--out", "x", "icrl/DarkRoom-v0", "--quiet"])
    assert (options.agent, options.family, options.seed) == ("ad", "icrl/DarkRoom-v0", 3)
    assert options.quiet


def test_settings_are_set_aside_with_what_follows_them():
    words = "run ad F --agent.sizes 3 5 --num-tasks 7 --source ppo --source.steps=11 --env.x a"
    options = parse(words.split())
    assert options.settings == {
        "agent": ["--agent.sizes", "3", "5"],
        "source": ["--source.steps=11"],
        "env": ["--env.x", "a"],
    }
    assert (options.num_tasks, options.source) == (7, "ppo")


def test_a_familys_keywords_are_json_or_strings():
    words = "run a F --env.size 5 --env.corner true --env.start [2,3] --env.kind row-column"
    words += " --env.both 2 3 --env.split-seed=7 --env.low -1.5"
    assert family_arguments(parse(words.split())) == {
        "size": 5,
        "corner": True,
        "start": [2, 3],
        "kind": "row-column",
        "both": [2, 3],
        "split_seed": 7,
        "low": -1.5,
    }


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["run"], "run needs AGENT"),
        (["run", "random"], "run needs FAMILY"),
        (["train", "random", "CartPole-v1"], "train needs --out DIR"),
        (["evaluate", "--out", "x"], "evaluate needs a DIR"),
        (["report", "--out", "x"], "report needs a DIR"),
        (["store", "info"], "store needs a DIR"),
        (["list", "planets"], "invalid choice: 'planets'"),
        (["list", "--env.size", "3"], "list takes no --env.KEY"),
        (["run", "random", "CartPole-v1", "--frob"], "unrecognized arguments: --frob"),
        (["run", "random", "CartPole-v1", "--num-tasks", "0"], "'0' is not a positive number"),
        (["run", "random", "CartPole-v1", "--seed", "-1"], "'-1' is not a seed"),
        (["run", "random", "CartPole-v1", "--budget", "huge"], "invalid choice: 'huge'"),
    ],
)
def test_wrong_usage_exits_with_2(refused, argv, message):
    assert message in refused(2, *argv)


@pytest.mark.parametrize("argv", [[], ["--help"], ["run", "--help"], ["--version"]])
def test_help_exits_with_0(argv, capsys):
    assert main(argv) == 0
    assert "icrl" in capsys.readouterr().out


# What is installed.


def test_list_shows_agents_as_json(capsys):
    assert main(["list", "agents", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert list(listed) == ["agents"]
    (random,) = (agent for agent in listed["agents"] if agent["name"] == "random")
    assert (random["distribution"], random["learns"]) == ("icrl", "nothing")


def test_list_shows_all_kinds_as_tables(capsys):
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("families", "agents", "sources", "random"))


def test_plugins_shows_the_core(capsys):
    assert main(["plugins", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert {"distribution": "icrl", "status": "ok"}.items() <= records[0].items()
    assert main(["plugins"]) == 0
    assert "icrl:core" in capsys.readouterr().out


# Refusals.


def test_an_unknown_agent_is_refused_with_the_nearest_name(refused, tmp_path):
    message = refused(2, "train", "randon", "CartPole-v1", "--out", str(tmp_path / "x"))
    assert "UnknownAgentError: no agent is called 'randon'." in message
    assert "Did you mean 'random'?" in message


def test_an_unknown_family_is_refused_with_the_nearest_name(refused, tmp_path):
    message = refused(2, "train", "random", "CartPoel-v1", "--out", str(tmp_path / "x"))
    assert "no family and no Gymnasium environment is called 'CartPoel-v1'" in message
    assert "Did you mean 'CartPole-v1'?" in message


def test_an_unknown_source_is_refused(refused, tmp_path):
    command = ["collect", "CartPole-v1", "--source", "nobody", "--out", str(tmp_path / "x")]
    assert "UnknownSourceError: no source is called 'nobody'" in refused(2, *command)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("tpu", "'tpu' is not a device. Give auto, cpu, cuda, or cuda:N"),
        ("cpu:1", "'cpu:1' is not a device"),
        ("cuda:97", "there is no cuda:97 here"),
    ],
)
def test_a_device_that_is_not_there_is_refused(refused, tmp_path, device, message):
    out = tmp_path / "x"
    command = ["train", "random", "CartPole-v1", "--out", str(out), "--device", device]
    assert f"DeviceError: {message}" in refused(2, *command)
    assert not out.exists()


def test_a_keyword_that_an_environment_does_not_take_is_refused(refused, tmp_path):
    command = [
        "train",
        "random",
        "CartPole-v1",
        "--out",
        str(tmp_path / "x"),
        "--env.gravitas",
        "9",
    ]
    assert "gravitas" in refused(2, *command)


def test_a_directory_without_a_run_is_refused(refused, tmp_path):
    message = refused(2, "evaluate", str(tmp_path), "--out", str(tmp_path / "e"))
    assert f"{tmp_path} holds no run" in message


def test_a_directory_without_results_is_refused(refused, tmp_path):
    message = refused(2, "report", str(tmp_path), "--out", str(tmp_path / "report"))
    assert "holds no result" in message


def test_a_store_that_is_not_there_is_refused(refused, tmp_path):
    message = refused(2, "store", "verify", str(tmp_path / "nothing"))
    assert "there is no history store in" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[run]\nseeds = 3", "unknown keys in [run]: seeds"),
        ("[agents]\nwidth = 3", "unknown tables: agents"),
        ("[run]\nbudget = 'huge'", "budget = 'huge'; it is smoke, default or full"),
        ("[run]\nagent = 'other'", "has settings of the agent 'other', not of 'random'"),
        ("[run", "cannot read"),
    ],
)
def test_a_config_file_that_cannot_be_used_is_refused(refused, tmp_path, text, message):
    file = tmp_path / "settings.toml"
    file.write_text(text)
    code = 1 if message == "cannot read" else 2
    out = str(tmp_path / "x")
    command = ["train", "random", "CartPole-v1", "--out", out, "--config", str(file)]
    assert message in refused(code, *command)


# An agent that learns nothing still makes a whole run.


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the agent `random`."""
    directory = tmp_path_factory.mktemp("runs") / "random"
    argv = ["train", "random", "CartPole-v1", "--out", str(directory), "--seed", "3", "--quiet"]
    assert main(argv) == 0
    return directory


def test_a_run_records_all_that_it_was_asked_for(run):
    record = read_toml(run / "agent" / "run.toml")
    expected = {"agent": "random", "family": "CartPole-v1", "seed": 3, "budget": "default"}
    assert expected.items() <= record["run"].items()
    assert {"distribution": "icrl", "status": "ok"}.items() <= read_json(
        run / "agent" / "plugins.json"
    )[0].items()


def test_the_record_of_a_run_is_a_config_file_for_another(run, tmp_path):
    file = str(run / "agent" / "run.toml")
    again = tmp_path / "again"
    argv = ["train", "random", "CartPole-v1", "--out", str(again), "--config", file, "--quiet"]
    assert main(argv) == 0
    assert read_toml(again / "agent" / "run.toml")["run"]["seed"] == 3


def test_a_directory_that_holds_another_run_is_refused(run, refused):
    message = refused(2, "train", "random", "CartPole-v1", "--out", str(run), "--seed", "5")
    assert f"OutputError: {run} holds another run: seed = 3 there, 5 here" in message


def records() -> tuple[RunRecord, RunRecord]:
    """Of two runs that differ in their seeds."""
    first, second = ({"agent": "random", "family": "Any", "seed": seed} for seed in (3, 5))
    return RunRecord(first, {}, {}, {}), RunRecord(second, {}, {}, {})


def refuse(record: RunRecord, directory: Path, *written: str) -> None:
    """Refuse its run, after these files were written."""
    with record.claimed(directory):
        for path in written:
            (directory / path).parent.mkdir(exist_ok=True)
            (directory / path).touch()
        raise TaskError("too few")


def test_a_run_that_is_refused_before_it_began_leaves_its_directory_free(tmp_path):
    first, second = records()
    with pytest.raises(TaskError, match="too few"):
        refuse(first, tmp_path)
    second.claim(tmp_path)
    assert RunRecord.load(tmp_path) == second


@pytest.mark.parametrize("path", ["agent/checkpoint.safetensors", "histories/manifest.json"])
def test_a_run_that_is_refused_after_it_began_keeps_its_directory(tmp_path, path):
    first, second = records()
    with pytest.raises(TaskError, match="too few"):
        refuse(first, tmp_path, path)
    with pytest.raises(OutputError, match="holds another run: seed = 3 there, 5 here"):
        second.claim(tmp_path)


def test_a_directory_that_holds_something_else_is_refused(refused, tmp_path):
    (tmp_path / "letters.txt").write_text("Dear Sir")
    message = refused(2, "train", "random", "CartPole-v1", "--out", str(tmp_path))
    assert "holds something else than a run: letters.txt" in message
    assert (tmp_path / "letters.txt").read_text() == "Dear Sir"


def test_a_file_as_directory_is_refused(refused, tmp_path):
    (tmp_path / "file").write_text("")
    message = refused(2, "train", "random", "CartPole-v1", "--out", str(tmp_path / "file"))
    assert "is a file. Choose another --out" in message


def evaluate(run, out, *more: str) -> list[str]:
    return ["evaluate", str(run), "--out", str(out), "--budget", "smoke", "--quiet", *more]


def test_weights_that_no_package_ships_are_refused(refused, tmp_path):
    message = refused(2, "evaluate", "random:icrl/Nowhere-v0", "--out", str(tmp_path / "result"))
    assert "no package ships random trained on icrl/Nowhere-v0" in message
    assert not (tmp_path / "result").exists()


def test_a_run_is_read_in_python(run, tmp_path):
    assert isinstance(icrl.load_agent(run), RandomAgent)
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run/agent/trained.json").write_text("[]")
    with pytest.raises(DamagedFileError, match="does not say which agent"):
        icrl.load_agent(tmp_path / "run")
    (tmp_path / "run/agent/trained.json").unlink()
    with pytest.raises(DamagedFileError, match="its training was interrupted"):
        icrl.load_agent(tmp_path / "run")


def test_no_agent_is_read_where_there_is_no_run(tmp_path):
    with pytest.raises(UsageError, match="holds no run"):
        icrl.load_agent(tmp_path)


def test_evaluate_plays_a_run_on_held_out_tasks(run, tmp_path):
    assert main(evaluate(run, tmp_path / "e", "--num-tasks", "3", "--episodes", "2")) == 0
    result = read_json(tmp_path / "e" / "evaluation.json")
    expected = {"agent": "random", "family": "CartPole-v1", "split": "test", "training_seed": 3}
    assert expected.items() <= result.items()
    assert result["memory"] == "none"
    assert (result["tasks"], result["episodes_asked"]) == (3, 2)


def test_evaluate_refuses_the_training_split(run, refused, tmp_path):
    message = refused(2, *evaluate(run, tmp_path / "e", "--split", "train"))
    assert "SplitError" in message
    assert "--allow-training-tasks" in message


def test_evaluate_takes_the_training_split_if_told_to(run, tmp_path):
    more = ["--split", "train", "--allow-training-tasks", "--num-tasks", "2"]
    assert main(evaluate(run, tmp_path / "e", *more)) == 0
    assert read_json(tmp_path / "e" / "evaluation.json")["split"] == "train"


def test_evaluate_refuses_a_split_that_is_not_there(run, refused, tmp_path):
    message = refused(2, *evaluate(run, tmp_path / "e", "--split", "extreme"))
    assert "CartPole-v1 has no split 'extreme'. It has: train, test" in message


def test_evaluate_refuses_a_family_with_other_spaces(run, refused, tmp_path):
    message = refused(2, *evaluate(run, tmp_path / "e", "--family", "Pendulum-v1"))
    assert "SpaceError: Pendulum-v1 has the observation space" in message


def test_evaluate_refuses_to_replace_something_else(run, refused, tmp_path):
    (tmp_path / "letters.txt").write_text("Dear Sir")
    message = refused(2, *evaluate(run, tmp_path))
    assert "OutputError" in message
    assert (tmp_path / "letters.txt").exists()


def test_an_unfinished_agent_is_refused(run, refused, tmp_path):
    import shutil

    shutil.copytree(run, tmp_path / "copy")
    (tmp_path / "copy" / "agent" / "trained.json").unlink()
    message = refused(1, *evaluate(tmp_path / "copy", tmp_path / "e"))
    assert "holds no finished agent: its training was interrupted" in message


# Mistakes and interrupts.


def test_a_mistake_is_one_message_without_a_traceback(refused, monkeypatch):
    def fail(options):
        raise KeyError("surprise")

    monkeypatch.setattr("icrl.cli.listing.main", fail)
    assert "KeyError: 'surprise' This is a mistake in icrl. --debug shows" in refused(1, "list")


def test_debug_shows_the_traceback(monkeypatch, capsys):
    def fail(options):
        raise KeyError("surprise")

    monkeypatch.setattr("icrl.cli.listing.main", fail)
    assert main(["list", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_said_plainly(refused, monkeypatch):
    def fail(options):
        import errno

        raise OSError(errno.ENOSPC, "No space left on device", "x.bin")

    monkeypatch.setattr("icrl.cli.listing.main", fail)
    assert "The disk is full" in refused(1, "list")


@pytest.mark.parametrize("command", ["list", "plugins", "collect", "train", "run", "evaluate"])
def test_ctrl_c_says_how_to_go_on(refused, monkeypatch, command):
    def interrupt(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr("icrl.cli.parse", interrupt)
    message = refused(1, command, "with words", "--seed", "3")
    assert message.startswith("Interrupted.")
    assert f"icrl {command} 'with words' --seed 3" in message


def test_python_m_icrl_is_the_same():
    done = subprocess.run(
        [sys.executable, "-m", "icrl", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("icrl ")


def test_a_reader_that_goes_away_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-m", "icrl", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(timeout=60)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom icrl.cli import main\nmain(['--help'])\n"
        "heavy = {'torch', 'tyro', 'rich', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_settings_of_an_agent_without_any_are_refused(refused, tmp_path):
    command = ["train", "random", "CartPole-v1", "--out", str(tmp_path / "x"), "--agent.width", "3"]
    assert "--agent.width" in refused(2, *command)


def test_ctrl_c_in_a_process_ends_it_with_one_message(tmp_path):
    code = (
        "import sys, time\nimport icrl.cli\nimport icrl.cli.listing\n"
        "icrl.cli.listing.main = lambda options: (print('ready', flush=True), time.sleep(60))\n"
        "sys.exit(icrl.cli.main(['list']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.startswith("Interrupted.")
    assert "Traceback" not in error
