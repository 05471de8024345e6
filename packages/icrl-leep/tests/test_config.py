"""Settings: what adapts, what is refused, and what the names of the controls stand for."""

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
from icrl.cli.settings import companion_config, completed, configs
from icrl.config import presets
from icrl.errors import ConfigError
from icrl.plugins import load_entry_point
from icrl.plugins.lookup import provided
from icrl_leep.config import LEEPConfig
from icrl_leep.learning import LEEPAgent
from icrl_leep.plugin import icrl_agents

SPECS = [spec for spec in icrl_agents() if spec.config == "icrl_leep.config:LEEPConfig"]
ROOM = "icrl/DarkRoom-v0"


def interface(horizon: int | None) -> Interface:
    return Interface(Discrete(2), Discrete(3), horizon, "test/Any", {})


@pytest.mark.parametrize(
    ("horizon", "rollout"), [(1, 2), (20, 20), (128, 128), (500, 128), (None, 128)]
)
def test_a_rollout_is_an_episode_unless_that_is_long(horizon, rollout):
    assert LEEPConfig(minibatches=1).adapted(interface(horizon)).rollout == rollout


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        (Discrete(2), 1_000_000),
        (Box(0, 255, (37, 41, 3), np.uint8), 100_000),
        (Box(0, 255, (7, 7, 3), np.uint8), 1_000_000),
    ],
)
def test_images_are_learned_from_for_a_tenth_of_the_steps(seen, steps):
    assert LEEPConfig().adapted(Interface(seen, Discrete(3), 20, "test/Any", {})).steps == steps


@pytest.mark.parametrize(("members", "num_envs"), [(1, 64), (3, 66), (4, 64), (7, 70)])
def test_each_member_has_equally_many_environments(members, num_envs):
    assert LEEPConfig(members=members).adapted(interface(20)).num_envs == num_envs


def test_a_value_that_the_user_gave_is_never_changed():
    given = LEEPConfig(steps=97, num_envs=44, rollout=33, final_alpha=2.0)
    assert given.adapted(interface(20)) == given


def test_settings_survive_the_way_to_toml_and_back(tmp_path):
    config = LEEPConfig(link="average", hidden=(), channels=(3, 5), final_alpha=0.1)
    config.save(tmp_path / "config.toml")
    assert LEEPConfig.load(tmp_path / "config.toml") == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -0.1}, "alpha is -0.1; it must be finite and not negative"),
        ({"final_alpha": -1.0}, "final_alpha is -1.0; it must be finite and not negative"),
        ({"alpha": float("inf")}, "alpha is inf; it must be finite and not negative"),
        ({"alpha": float("nan")}, "alpha is nan; it must be finite and not negative"),
        ({"members": 0}, "members is 0; it must be at least 1"),
        ({"rollout": 0}, "rollout is 0; it must be at least 1"),
        ({"steps": 0}, "steps is 0"),
        ({"link_samples": 0}, "link_samples is 0"),
        ({"hidden": (7, 0)}, r"hidden is \(7, 0\); sizes must be at least 1"),
        ({"channels": ()}, "channels is empty; images need at least one stage"),
        ({"clip": 0.0}, "clip is 0.0; it must be positive"),
        ({"gamma": 1.1}, r"gamma is 1.1; it must be in \[0, 1\]"),
        ({"num_envs": 62}, "num_envs is 62 and members is 4: .* a multiple of 4"),
        (
            {"num_envs": 4, "rollout": 15},
            "each member has 15 transitions in a rollout, too few for 8 minibatches",
        ),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        LEEPConfig(**settings).adapted(interface(20))


def test_an_unknown_link_is_refused():
    with pytest.raises(ConfigError, match="link"):
        LEEPConfig.from_dict({"link": "median"}, where="here")


# Names.


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_spec_names_an_agent_without_memory_that_learns_by_interaction(spec):
    assert load_entry_point(spec.entry_point) is LEEPAgent
    assert load_entry_point(spec.config) is LEEPConfig
    assert (spec.learns, spec.memory) == ("interaction", "none")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("budget", ["smoke", "default", "full"])
def test_every_preset_can_be_used(spec, budget):
    package, name = spec.presets.split(":")
    text = files(package).joinpath(name).read_text()
    for family in (None, *tomllib.loads(text)):
        chosen = presets(text, family, budget) | spec.settings
        adapted = LEEPConfig.from_dict(chosen).adapted(interface(20))
        if spec.name == "plain-ensemble":
            assert (adapted.alpha, adapted.final_alpha or 0.0) == (0.0, 0.0)


def settings_of(name: str, *flags: str) -> LEEPConfig:
    """What the command line makes of a name and flags."""
    options = completed(parse(["run", name, ROOM, *flags]))
    config, _ = configs(options, provided("agents", name), None)
    assert isinstance(config, LEEPConfig)
    return config


def test_controls_differ_from_leep_in_what_their_names_say():
    leep = settings_of("leep")
    assert (leep.link, leep.members) == ("max", 4)
    assert leep.alpha > 0
    changes = {
        "leep-average": {"link": "average"},
        "plain-ensemble": {"alpha": 0.0},
    }
    assert {spec.name for spec in SPECS} == {"leep", *changes}
    for name, change in changes.items():
        control = settings_of(name).to_dict()
        assert control == leep.to_dict() | change, name


def test_what_the_user_says_wins_over_the_name():
    assert settings_of("plain-ensemble", "--agent.alpha", "0.5").alpha == 0.5


def test_a_control_beside_leep_stays_what_it_is():
    options = completed(parse(["run", "leep", ROOM, "--agent.epochs", "7"]))
    leep, _ = configs(options, provided("agents", "leep"), None)
    control = companion_config(options, provided("agents", "leep-average"), leep)
    assert isinstance(control, LEEPConfig)
    assert (control.epochs, control.link) == (7, "average")


def test_specs_and_settings_load_without_torch():
    code = (
        "import icrl_leep.plugin, icrl_leep.config, sys; "
        "heavy = {'torch', 'stable_baselines3'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_its_help_shows_no_settings_of_a_source(capsys):
    """It learns from none, and none stands beside it, so that a flag of one would be refused."""
    assert main(["run", "leep", ROOM, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--agent.alpha" in shown
    assert "--source." not in shown
