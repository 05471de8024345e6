"""Settings round-trip through TOML, and refuse what they do not know."""

from dataclasses import dataclass, field

import pytest

from icrl.config import Config, presets
from icrl.errors import ConfigError, DamagedFileError


@dataclass(frozen=True, kw_only=True)
class Optimiser(Config):
    learning_rate: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class Settings(Config):
    width: int = 64
    window: int | None = None
    hidden: tuple[int, ...] = (3, 5)
    optimiser: Optimiser = field(default_factory=Optimiser)


def test_settings_survive_the_way_to_toml(tmp_path):
    settings = Settings(width=7, hidden=(11,), optimiser=Optimiser(learning_rate=0.5))
    settings.save(tmp_path / "config.toml")
    assert Settings.load(tmp_path / "config.toml") == settings


def test_an_unknown_key_is_refused_with_its_path(tmp_path):
    with pytest.raises(ConfigError, match=r"learning_rat.*optimiser.*width, window"):
        Settings.from_dict({"optimiser": {"learning_rat": 1.0}})


def test_a_value_of_the_wrong_type_is_refused_with_its_path():
    with pytest.raises(ConfigError, match="width"):
        Settings.from_dict({"width": "wide"})


def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path):
    (tmp_path / "config.toml").write_text("width = ")
    with pytest.raises(DamagedFileError, match=r"config\.toml"):
        Settings.load(tmp_path / "config.toml")


PRESETS = """
["*".default]
width = 2
window = 3
["*".smoke]
width = 5
["room".default]
width = 7
["room".full]
window = 11
"""


@pytest.mark.parametrize(
    ("family", "budget", "expected"),
    [
        (None, "default", {"width": 2, "window": 3}),
        ("other", "smoke", {"width": 5, "window": 3}),
        ("room", "default", {"width": 7, "window": 3}),
        ("room", "full", {"width": 7, "window": 11}),
        ("room", "smoke", {"width": 5, "window": 3}),
    ],
)
def test_the_more_special_preset_wins(family, budget, expected):
    assert presets(PRESETS, family, budget) == expected
