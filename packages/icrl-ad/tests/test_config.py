"""Settings: they adapt to the horizon, refuse what cannot be, and every preset is one of them."""

import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib.resources import files

import pytest
from gymnasium.spaces import Discrete

from icrl.agent import Interface
from icrl.config import presets
from icrl.errors import ConfigError, ContextError
from icrl_ad.config import DistillationConfig
from icrl_ad.plugin import icrl_agents


def interface(horizon):
    return Interface(Discrete(2), Discrete(3), horizon, "test/Any", {})


@pytest.mark.parametrize(
    ("horizon", "window", "batch"),
    [
        (20, 100, 64),
        (50, 200, 32),
        (100, 200, 32),
        (500, 1000, 6),
        (2000, 4000, 4),
        (None, 200, 32),
    ],
)
def test_window_and_batch_adapt_to_the_horizon(horizon, window, batch):
    adapted = DistillationConfig().adapted(interface(horizon))
    assert (adapted.window, adapted.batch) == (window, batch)


def test_a_value_that_the_user_gave_is_never_changed():
    given = DistillationConfig(window=33, batch=5)
    assert given.adapted(interface(20)) == given


def test_settings_survive_the_way_to_toml_and_back(tmp_path):
    config = DistillationConfig(label_smoothing=0.2, precision="bf16-mixed", decoding="argmax")
    config.save(tmp_path / "config.toml")
    assert DistillationConfig.load(tmp_path / "config.toml") == config


@pytest.mark.parametrize("spec", icrl_agents(), ids=lambda spec: spec.name)
@pytest.mark.parametrize("budget", ["smoke", "default", "full"])
def test_every_preset_can_be_used(spec, budget):
    package, name = spec.presets.split(":")
    text = files(package).joinpath(name).read_text()
    for family in (None, *tomllib.loads(text)):
        chosen = presets(text, family, budget)
        DistillationConfig.from_dict(chosen).adapted(interface(20))
        assert (chosen.get("last_part", 1.0) < 1) == (spec.name == "ed")


def test_a_context_shorter_than_an_episode_is_refused():
    with pytest.raises(ContextError, match=r"19 steps is shorter than one episode .* \(20 steps\)"):
        DistillationConfig(window=19).adapted(interface(20))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layers", 0, "layers is 0; it must be at least 1"),
        ("window", 0, "window is 0"),
        ("token_mask", 1.0, r"token_mask is 1.0; it must be in \[0, 1\)"),
        ("last_part", 0.0, "last_part is 0.0; it must be positive"),
        ("last_part", 1.5, r"last_part is 1.5; it must be in \[0, 1\]"),
        ("opening_share", -0.1, "opening_share is -0.1"),
        ("learning_rate", -1e-3, "learning_rate is -0.001; it must be positive"),
        ("weight_decay", -1.0, "weight_decay is -1.0; it must not be negative"),
        ("width", 36, "width is 36 and heads is 4; the width must be an even multiple"),
    ],
)
def test_values_out_of_range_are_refused(name, value, message):
    with pytest.raises(ConfigError, match=message):
        replace(DistillationConfig(), **{name: value}).adapted(interface(20))


def test_specs_and_settings_load_without_torch():
    code = (
        "import icrl_ad.plugin, icrl_ad.config, sys; "
        "heavy = {'torch', 'lightning_fabric'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
