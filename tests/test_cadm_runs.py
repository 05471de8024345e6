"""Runs of CaDM's tables: what they leave and take, and that they resume."""

import json

import pytest
import torch

from icrl import load_agent
from icrl.files import read_json, write_json

PENDULUM = "icrl/Pendulum-v0"
SMALL = {
    "iterations": 2,
    "num_envs": 2,
    "steps_per_iteration": 20,
    "epochs": 1,
    "hidden": [8],
    "encoder": [8],
    "horizon": 2,
    "candidates": 7,
    "elites": 2,
    "refinements": 1,
}


@pytest.fixture
def runs_module(scripts):
    import cadm_runs

    return cadm_runs


def test_ensembles_plan_with_less_on_two_cores(runs_module):
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    given = {"iterations": 3}
    assert runs_module.overrides("vanilla-dm", given, cpu) == given
    assert runs_module.overrides("pe-ts", given, cpu)["particles"] == 5
    assert runs_module.overrides("pe-ts", given, gpu) == given
    assert runs_module.overrides("stacked-dm", given, cpu) == given


@pytest.mark.parametrize("agent", ["ppo", "ppo-cadm"])
def test_an_agent_is_given_the_settings_that_it_has(runs_module, agent):
    given = {"iterations": 3, "normalize_rewards": True}
    found = runs_module.overrides(agent, given, torch.device("cpu"))
    assert found == {"normalize_rewards": True}


@pytest.fixture(scope="module")
def small_run(repository, tmp_path_factory):
    """A run of a small model, and where it is kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        import cadm_runs
    out = tmp_path_factory.mktemp("cadm")
    asked = cadm_runs.Asked(PENDULUM, "vanilla-cadm", 1, SMALL)
    return cadm_runs.completed(asked, out), out, asked


def test_a_run_plays_every_split(small_run):
    found, _, _ = small_run
    assert found["steps"] == 40
    assert found["episodes"] == {"train": 20, "moderate": 24, "extreme": 24}
    assert all(-2000 < value < 0 for value in found["returns"].values())


def test_a_run_leaves_an_agent(small_run):
    _, out, asked = small_run
    agent = load_agent(asked.directory(out))
    assert agent.config.hidden == (8,) and agent.interface.family == PENDULUM


def test_a_finished_run_is_not_repeated(small_run, runs_module, monkeypatch):
    found, out, asked = small_run
    monkeypatch.setattr(runs_module, "trained", None)
    assert runs_module.completed(asked, out) == json.loads(json.dumps(found))
    assert runs_module.finished(out) == [json.loads(json.dumps(found))]


def test_an_evaluation_that_is_missing_is_made_again_alike(small_run, runs_module):
    found, out, asked = small_run
    directory = asked.directory(out)
    (directory / "run.json").unlink()
    for path in (directory / "evaluation" / "moderate").iterdir():
        path.unlink()
    again = runs_module.completed(asked, out)
    assert again["returns"] == pytest.approx(found["returns"])
    assert read_json(directory / "run.json")["training_seconds"] == found["training_seconds"]


def test_a_run_of_other_settings_is_refused(small_run, runs_module):
    _, out, asked = small_run
    other = runs_module.Asked(asked.family, asked.agent, asked.seed, {"iterations": 3})
    with pytest.raises(SystemExit, match=r"Give another --out"):
        runs_module.completed(other, out)


def test_a_run_tells_whose_model_it_took_and_what_was_spent_before(small_run, runs_module):
    _, out, asked = small_run
    policy = runs_module.Asked(
        PENDULUM,
        "ppo-cadm",
        1,
        {"steps": 2, "rollout": 1, "num_envs": 2, "minibatches": 1, "schedule": "constant"},
    )
    found = runs_module.completed(policy, out)
    spent = read_json(asked.directory(out) / "agent" / "trained.json")["seconds"]
    model = {"agent": "vanilla-cadm", "seed": 1, "overrides": asked.overrides}
    assert found["model"] == {**model, "seconds": spent}
    assert found["steps"] == 2


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"context": "none"}, 100),
        ({"context": "probed", "dynamics": SMALL}, 140),
        ({"context": "cadm", "dynamics": SMALL}, 140),
        ({"context": "cadm", "dynamics": SMALL, "pretrained": "elsewhere"}, 100),
    ],
)
def test_steps_are_those_of_the_agents_own_model_too(runs_module, settings, steps):
    from icrl_cadm.model_free.config import ModelFreeConfig

    config = ModelFreeConfig.from_dict({"steps": 100, **settings})
    assert runs_module.environment_steps(config) == steps


def test_a_policy_takes_the_context_of_the_run_with_its_seed(small_run, runs_module):
    _, out, asked = small_run
    same = runs_module.Asked(PENDULUM, "ppo-cadm", 1, {})
    other = runs_module.Asked(PENDULUM, "ppo-cadm", 2, {})
    given = {"pretrained": str(asked.directory(out))}
    assert runs_module.settings_of(same, out) == ("ppo-cadm", given)
    shipped = {"pretrained": f"vanilla-cadm:{PENDULUM}"}
    assert runs_module.settings_of(other, out) == ("ppo-cadm", shipped)


def test_a_policy_keeps_the_model_that_it_began_with(runs_module, tmp_path, monkeypatch):
    from icrl_cadm.model_free.learning import ModelFreeAgent

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ModelFreeAgent, "learn", interrupted)
    asked = runs_module.Asked(PENDULUM, "ppo-cadm", 1, {})
    with pytest.raises(KeyboardInterrupt):
        runs_module.completed(asked, tmp_path)
    model = runs_module.Asked(PENDULUM, "vanilla-cadm", 1, {}).directory(tmp_path)
    write_json(model / "agent" / "trained.json", {"agent": "vanilla-cadm"})
    began = {"pretrained": f"vanilla-cadm:{PENDULUM}"}
    assert runs_module.settings_of(asked, tmp_path) == ("ppo-cadm", began)


def test_a_policy_of_a_family_without_a_shipped_model_trains_its_own(runs_module, tmp_path):
    asked = runs_module.Asked("icrl/HalfCheetah-v0", "ppo-cadm", 0, {"steps": 2})
    assert runs_module.settings_of(asked, tmp_path) == ("ppo-cadm", {"steps": 2})


def test_a_run_tells_of_a_shipped_model_how_it_was_trained(runs_module, tmp_path):
    little = {"steps": 2, "rollout": 1, "num_envs": 2, "minibatches": 1, "schedule": "constant"}
    asked = runs_module.Asked(PENDULUM, "ppo-cadm", 2, little)
    model = runs_module.completed(asked, tmp_path)["model"]
    assert model["seconds"] > 1000
    told = {name: model[name] for name in ("agent", "seed", "overrides")}
    paper = {"agent": "vanilla-cadm", "seed": 0, "overrides": {"precision": "bfloat16"}}
    assert told == paper


def test_the_base_of_the_policy_is_the_same_without_a_context(runs_module, tmp_path):
    asked = runs_module.Asked(PENDULUM, "ppo", 0, {})
    assert runs_module.settings_of(asked, tmp_path) == ("ppo-cadm", {"context": "none"})


def test_policies_learn_longer_in_mujoco(runs_module, tmp_path):
    asked = runs_module.Asked("icrl/HalfCheetah-v0", "stacked-ppo", 0, {})
    assert runs_module.settings_of(asked, tmp_path) == ("stacked-ppo", {"steps": 5_000_000})
