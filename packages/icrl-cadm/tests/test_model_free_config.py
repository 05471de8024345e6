"""Settings of the model-free agents: what adapts, what is refused, what the names stand for."""

import subprocess
import sys
import tomllib
from importlib.resources import files

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from icrl.agent import Interface
from icrl.cli import main
from icrl.cli.options import parse
from icrl.cli.pairing import resolve
from icrl.cli.settings import completed, configs
from icrl.config import presets
from icrl.errors import ConfigError, ContextError
from icrl.plugins import AgentSpec, load_entry_point
from icrl.plugins.lookup import provided
from icrl_cadm.config import CaDMConfig
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.learning import ModelFreeAgent
from icrl_cadm.plugin import icrl_agents

SPECS = [spec for spec in icrl_agents() if spec.config.startswith("icrl_cadm.model_free")]
CONTEXTS = {
    "ppo-cadm": "cadm",
    "stacked-ppo": "stacked",
    "ppo-pc": "probabilistic",
    "ppo-ep": "probed",
}


def interface(horizon: int | None, seen=None) -> Interface:
    return Interface(seen or Discrete(2), Discrete(3), horizon, "test/Any", {})


@pytest.mark.parametrize(
    ("context", "horizon", "past"),
    [
        ("stacked", 200, 10),
        ("stacked", None, 10),
        ("stacked", 7, 6),
        ("stacked", 1, 1),
        ("cadm", 7, 6),
        ("probed", 200, 10),
        ("probed", 14, 7),
        ("probed", None, 10),
        ("probed", 1, 1),
    ],
)
def test_past_transitions_fit_into_an_episode(context, horizon, past):
    adapted = ModelFreeConfig(context=context).adapted(interface(horizon))
    assert adapted.past == past
    assert adapted.dynamics.past in (None, past)


def test_a_model_infers_its_context_of_as_many_transitions():
    config = ModelFreeConfig(context="cadm", past=7)
    assert config.adapted(interface(20)).dynamics.past == 7
    config = ModelFreeConfig(context="cadm", dynamics=CaDMConfig(past=5))
    assert config.adapted(interface(20)).past == 5


@pytest.mark.parametrize(
    ("seen", "steps"),
    [(Discrete(2), 500_000), (Box(0, 255, (37, 41, 3), np.uint8), 50_000)],
    ids=["codes", "images"],
)
def test_images_are_learned_from_for_a_tenth_of_the_steps(seen, steps):
    assert ModelFreeConfig(context="none").adapted(interface(20, seen)).steps == steps


def test_a_value_that_the_user_gave_is_never_changed():
    given = ModelFreeConfig(context="stacked", steps=9700, past=3)
    assert given.adapted(interface(20)) == given


@pytest.mark.parametrize("context", ["none", *CONTEXTS.values()])
def test_adapted_settings_are_what_they_adapt_to(context):
    once = ModelFreeConfig(context=context).adapted(interface(20))
    assert once.adapted(interface(20)) == once


def test_settings_survive_the_way_to_toml_and_back(tmp_path):
    config = ModelFreeConfig(hidden=(3,), dynamics=CaDMConfig(members=2, particles=4), past=7)
    config.save(tmp_path / "config.toml")
    assert ModelFreeConfig.load(tmp_path / "config.toml") == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"past": 0}, "past is 0; it must be at least 1"),
        ({"hidden": (7, 0)}, r"hidden is \(7, 0\); sizes must be at least 1"),
        ({"kl": -0.1}, "kl is -0.1; it must be finite and not negative"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be finite and positive"),
        ({"gamma": 1.5}, r"gamma is 1.5; it must be in \[0, 1\]"),
        ({"minibatches": 3}, "200 steps .* of 10 environments .* do not make 3 equal minibatches"),
        ({"rollout": 1, "num_envs": 4}, "do not make 4 equal minibatches of at least two"),
        (
            {"context": "stacked", "pretrained": "runs/cadm"},
            "context is 'stacked' and pretrained is 'runs/cadm': only the context 'cadm'",
        ),
        (
            {"past": 5, "dynamics": CaDMConfig(past=6)},
            "past is 5 and dynamics.past is 6: .* Give one of them",
        ),
        (
            {"dynamics": CaDMConfig(context="stacked")},
            "dynamics.context is 'stacked', .* Give 'encoded' or 'recurrent'",
        ),
        (
            {"context": "probed", "dynamics": CaDMConfig(tasks_per_iteration=1)},
            "dynamics.tasks_per_iteration is 1, .* 'probed' .* Leave it out",
        ),
        ({"steps": 2000}, r"steps is 2000, but PPO's first update comes after 2000 .* nothing"),
        ({"dynamics": CaDMConfig(members=0)}, "members is 0; it must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ModelFreeConfig(**settings).adapted(interface(20))


def test_more_past_transitions_than_an_episode_has_are_refused():
    with pytest.raises(ContextError, match=r"past is 20, but an episode has 19 .* at most 19"):
        ModelFreeConfig(context="stacked", past=20).adapted(interface(20))


def test_an_unknown_setting_of_the_model_is_refused_with_its_path():
    with pytest.raises(ConfigError, match="dynamics"):
        ModelFreeConfig.from_dict({"dynamics": {"membres": 3}}, where="here")


# Names.


def test_each_name_stands_for_a_context():
    assert {spec.name: spec.settings["context"] for spec in SPECS} == CONTEXTS


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_spec_names_an_agent_that_remembers_an_episode(spec):
    assert load_entry_point(spec.entry_point) is ModelFreeAgent
    assert load_entry_point(spec.config) is ModelFreeConfig
    assert (spec.learns, spec.memory) == ("interaction", "episode")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("budget", ["smoke", "default", "full"])
def test_every_preset_can_be_used(spec, budget):
    package, name = spec.presets.split(":")
    text = files(package).joinpath(name).read_text()
    for family in (None, *tomllib.loads(text)):
        chosen = presets(text, family, budget) | spec.settings
        ModelFreeConfig.from_dict(chosen).adapted(interface(20))


PAPERS_STEPS = {
    "icrl/CartPole-v0": 500_000,
    "icrl/Pendulum-v0": 500_000,
    "icrl/HalfCheetah-v0": 5_000_000,
    "icrl/Ant-v0": 5_000_000,
    "icrl/CrippledHalfCheetah-v0": 5_000_000,
    "icrl/SlimHumanoid-v0": 5_000_000,
}
"""Of PPO at the full budget, whatever it sees."""


def configured(spec: AgentSpec, budget: str, family: str) -> ModelFreeConfig:
    """The settings as the command line puts them together, adapted to episodes of 200 steps."""
    text = files("icrl_cadm").joinpath("presets", "model_free.toml").read_text()
    given = {**presets(text, family, budget), **spec.settings}
    return ModelFreeConfig.from_dict(given).adapted(interface(200))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("family", PAPERS_STEPS)
def test_the_full_budget_is_the_papers(spec, family):
    """Which are the defaults, but for how long PPO learns."""
    paper = ModelFreeConfig(**spec.settings, steps=PAPERS_STEPS[family]).adapted(interface(200))
    assert configured(spec, "full", family) == paper


@pytest.mark.parametrize("family", PAPERS_STEPS)
def test_the_default_budget_is_half_a_million_steps_of_ppo(family):
    assert {configured(spec, "default", family).steps for spec in SPECS} == {500_000}


def test_only_the_full_budget_has_the_papers_critic():
    text = files("icrl_cadm").joinpath("presets", "model_free.toml").read_text()
    critic = ("normalize_rewards", "clip_values", "limits_terminate", "value")
    papers = ModelFreeConfig()
    for family in (None, "icrl/CartPole-v0", "icrl/Pendulum-v0"):
        smoke, default, full = (
            {name: presets(text, family, budget)[name] for name in critic}
            for budget in ("smoke", "default", "full")
        )
        assert full == {name: getattr(papers, name) for name in critic}
        assert smoke == default == dict(zip(critic, (True, False, False, 0.5), strict=True))


def test_its_model_is_trained_as_cadm_is():
    """The two files of presets say the same of the model."""
    package = files("icrl_cadm").joinpath("presets")
    planning, ours = (
        package.joinpath(f"{name}.toml").read_text() for name in ("cadm", "model_free")
    )
    for budget in ("smoke", "default", "full"):
        for family in (None, "icrl/CartPole-v0", "icrl/Pendulum-v0", "icrl/HalfCheetah-v0"):
            ours_chosen = presets(ours, family, budget)["dynamics"]
            assert ours_chosen == presets(planning, family, budget), (family, budget)


def test_a_setting_of_the_model_is_a_flag():
    options = completed(parse(["run", "ppo-cadm", "icrl/X-v0", "--agent.dynamics.members", "3"]))
    config, _ = configs(options, provided("agents", "ppo-cadm"), None)
    assert isinstance(config, ModelFreeConfig)
    assert (config.dynamics.members, config.context) == (3, "cadm")


def test_what_the_models_settings_became_is_said_field_by_field(capsys):
    resolve(parse(["run", "ppo-cadm", "CartPole-v1", "--budget", "smoke"]))
    said = capsys.readouterr().err
    assert "past = 10, dynamics.past = 10, dynamics.future = 10" in said
    assert "CaDMConfig" not in said


def test_the_flags_of_the_model_are_shown(capsys):
    assert main(["run", "ppo-cadm", "icrl/Pendulum-v0", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--agent.dynamics.members" in shown and "--agent.pretrained" in shown


def test_specs_and_settings_load_without_torch():
    code = (
        "import icrl_cadm.plugin, icrl_cadm.model_free.config, sys; "
        "heavy = {'torch', 'stable_baselines3'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
