"""Settings: they adapt to the learner and to what it sees; specs, presets and README agree."""

import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import Space, spaces

import icrl_sb3
from icrl.agent import Interface
from icrl.config import presets
from icrl.errors import ConfigError, SpaceError
from icrl.plugins import load_entry_point
from icrl.sb3 import algorithm
from icrl_sb3.config import SB3AgentConfig
from icrl_sb3.learners import LEARNERS
from icrl_sb3.plugin import icrl_agents

SPECS = icrl_agents()
README = Path(icrl_sb3.__file__).parents[2] / "README.md"
LEVERS = spaces.Box(-1.0, 1.0, (2,), np.float32)
BUTTONS = spaces.Discrete(3)
UNBOUNDED = spaces.Box(-np.inf, np.inf, (5,), np.float32)
PIXELS = spaces.Box(0, 255, (37, 41, 3), np.uint8)


def adapted(
    name: str, action: Space = BUTTONS, observation: Space = BUTTONS, **settings: Any
) -> SB3AgentConfig:
    interface = Interface(observation, action, 20, "test/Any", {})
    return SB3AgentConfig(algorithm=name, **settings).adapted(interface)


def test_a_rollout_is_cut_into_equal_minibatches():
    assert adapted("ppo").settings == {"n_steps": 128, "batch_size": 256}
    assert adapted("ppo", num_envs=3, steps=120).settings == {"n_steps": 40, "batch_size": 120}
    assert adapted("a2c").settings == {}


def test_a_q_learner_updates_as_often_for_many_environments_as_for_one():
    settings = adapted("dqn", num_envs=6, steps=5000).settings
    assert (settings["train_freq"], settings["gradient_steps"]) == (4, 6)
    assert (settings["buffer_size"], settings["learning_starts"]) == (5004, 500)


def test_a_deterministic_learner_explores_by_noise():
    assert adapted("td3", LEVERS).settings["action_noise"] == 0.1
    assert "action_noise" not in adapted("sac", LEVERS).settings


def test_a_replay_buffer_of_images_stays_within_a_gib():
    settings = adapted("dqn", observation=PIXELS, steps=10_000_000).settings
    assert settings["buffer_size"] == 2**30 // (2 * 37 * 41 * 3)


def test_images_are_learned_from_for_a_tenth_of_the_steps():
    assert adapted("ppo").steps == 1_000_000
    seen = spaces.Dict(camera=PIXELS, speed=UNBOUNDED)
    assert adapted("ppo", observation=seen).steps == 100_000
    symbols = spaces.Box(0, 255, (7, 7, 3), np.uint8)
    assert adapted("ppo", observation=symbols).steps == 1_000_000


@pytest.mark.parametrize(
    ("name", "observation", "normalize"),
    [
        ("ppo", UNBOUNDED, True),
        ("trpo", spaces.Dict(speed=UNBOUNDED), True),
        ("ppo", LEVERS, False),
        ("ppo", PIXELS, False),
        ("sac", UNBOUNDED, False),
    ],
)
def test_vectors_without_bounds_are_normalised(name: str, observation: Space, normalize: bool):
    assert adapted(name, LEVERS, observation).normalize is normalize
    assert adapted(name, LEVERS, observation, normalize=not normalize).normalize is not normalize


def test_a_value_that_the_user_gave_is_never_changed():
    given = {"n_steps": 5, "batch_size": 20, "n_epochs": 1}
    config = adapted("ppo", steps=97, num_envs=4, settings=given, policy="MlpPolicy")
    assert (config.steps, config.num_envs, config.policy) == (97, 4, "MlpPolicy")
    assert config.settings == given


@pytest.mark.parametrize("learner", LEARNERS, ids=lambda learner: learner.name)
def test_adapted_settings_are_what_they_adapt_to(learner: Any, tmp_path: Path):
    action = LEVERS if learner.actions == ("Box",) else BUTTONS
    once = adapted(learner.algorithm, action, UNBOUNDED)
    assert once.adapted(Interface(UNBOUNDED, action, 20, "test/Any", {})) == once
    once.save(tmp_path / "config.toml")
    assert SB3AgentConfig.load(tmp_path / "config.toml") == once


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_spec_names_a_learner_with_its_settings(spec: Any):
    assert load_entry_point(spec.config) is SB3AgentConfig
    assert algorithm(spec.settings["algorithm"]).__name__ == spec.settings["algorithm"]
    assert spec.memory == ("episode" if spec.name == "recurrent-ppo" else "none")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("budget", ["smoke", "default", "full"])
def test_every_preset_can_be_used(spec: Any, budget: str):
    package, name = spec.presets.split(":")
    chosen = presets(files(package).joinpath(name).read_text(), None, budget)
    config = SB3AgentConfig.from_dict(chosen | spec.settings)
    action = LEVERS if spec.name in ("sac", "tqc", "crossq", "td3", "ddpg") else BUTTONS
    steps = replace(config).adapted(Interface(BUTTONS, action, 20, "test/Any", {})).steps
    assert steps is not None and (steps <= 300) == (budget == "smoke")


def test_the_readme_has_every_agent():
    text = README.read_text(encoding="utf-8")
    assert not [spec.name for spec in SPECS if f"\n| `{spec.name}` | " not in text]


def test_specs_and_settings_load_without_torch():
    code = (
        "import icrl_sb3.plugin, icrl_sb3.config, sys; "
        "assert not {'torch', 'stable_baselines3'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "action", "others"),
    [
        ("dqn", LEVERS, "a2c, crossq, ddpg, ppo, recurrent-ppo, sac, td3, tqc, trpo"),
        ("sac", BUTTONS, "a2c, dqn, ppo, qr-dqn, recurrent-ppo, trpo"),
        ("dqn", spaces.MultiDiscrete([2, 3]), "a2c, ppo, recurrent-ppo, trpo"),
    ],
)
def test_an_action_space_is_refused_with_who_serves_it(name: str, action: Space, others: str):
    with pytest.raises(SpaceError, match=rf"{name} acts in .*test/Any has.*act there: {others}\."):
        adapted(name, action)


@pytest.mark.parametrize("name", ["ARS", "MaskablePPO", "Dreamer"])
def test_what_is_no_agent_is_refused_with_those_that_are(name: str):
    with pytest.raises(ConfigError, match=f"algorithm is '{name}'.*It trains: A2C, CrossQ"):
        adapted(name)


@pytest.mark.parametrize("field", ["steps", "num_envs"])
def test_nothing_to_learn_is_refused(field: str):
    with pytest.raises(ConfigError, match=f"{field}=0"):
        adapted("ppo", **{field: 0})
