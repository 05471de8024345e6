"""Settings as flags: typed, described, refused."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from icrl.cli.flags import field_docstrings, json_values, parse_flags
from icrl.config import Config
from icrl.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Network(Config):
    """A network."""

    width: int = 5
    """How wide it is."""


@dataclass(frozen=True, kw_only=True)
class Learner(Config):
    """A learner.

    With more to say than one line.
    """

    rate: float = 0.5
    """How fast it learns, which is said here
    in more than one line."""
    window: int | None = None
    """Steps that it sees."""
    sizes: tuple[int, ...] = (2, 3)
    """Sizes of layers."""
    kind: Literal["one", "two"] = "one"
    """Which of two."""
    careful: bool = True
    """Whether it takes care."""
    network: Network = field(default_factory=Network)
    """Its network."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Whatever else."""

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ConfigError(f"rate is {self.rate}; it must be positive.")


def parsed(*words: str, default: Learner | None = None) -> Config:
    settings = {"agent": default or Learner(), "source": Config()}
    return parse_flags(settings, words, program="icrl train x y")["agent"]


def test_flags_win_over_the_defaults():
    words = "--agent.rate 2 --agent.window 7 --agent.sizes 5 11 --agent.kind two --agent.no_careful"
    expected = Learner(rate=2.0, window=7, sizes=(5, 11), kind="two", careful=False)
    assert parsed(*words.split()) == expected


def test_what_no_flag_says_keeps_its_value():
    default = Learner(rate=0.25, window=3, network=Network(width=11), settings={"a": 1})
    assert parsed("--agent.kind", "two", default=default) == Learner(
        rate=0.25, window=3, kind="two", network=Network(width=11), settings={"a": 1}
    )


def test_nested_settings_have_flags():
    assert parsed("--agent.network.width", "7") == Learner(network=Network(width=7))


def test_a_table_takes_keys_of_any_name():
    words = ["--agent.settings.policy", '{"layers": [3, 5]}', "--agent.settings.gamma=0.9"]
    default = Learner(settings={"gamma": 0.5, "seed": 7})
    expected = {"gamma": 0.9, "seed": 7, "policy": {"layers": [3, 5]}}
    assert parsed(*words, "--agent.rate", "2", default=default) == Learner(
        rate=2, settings=expected
    )


def test_the_help_gives_each_docstring_in_one_paragraph(capsys):
    with pytest.raises(SystemExit) as stop:
        parsed("--help")
    assert stop.value.code == 0
    shown = " ".join(word for word in capsys.readouterr().out.split() if word != "│")
    assert "How fast it learns, which is said here in more than one line. (default: 0.5)" in shown
    assert "--agent.network.width INT How wide it is. (default: 5)" in shown
    assert "--agent.settings.KEY JSON Whatever else." in shown


@pytest.mark.parametrize(
    "words", ["--agent.rat 3", "--agent.window many", "--agent.kind three", "--agent.network.w 3"]
)
def test_a_flag_that_cannot_be_is_refused_with_a_message(words, capsys):
    with pytest.raises(SystemExit) as stop:
        parsed(*words.split())
    assert stop.value.code == 2
    assert words.split()[0] in capsys.readouterr().err


def test_a_value_that_the_settings_refuse_is_a_config_error():
    with pytest.raises(ConfigError, match=r"rate is -1.0; it must be positive"):
        parsed("--agent.rate", "-1")


def test_docstrings_of_fields_are_one_line_each():
    found = field_docstrings(Learner)
    assert found["rate"] == "How fast it learns, which is said here in more than one line."
    assert set(found) == set(Learner.__dataclass_fields__)


def test_values_are_json_where_they_read_as_json():
    words = (
        '--env.a 3 --env.b 0.5 --env.c true --env.d word --env.e [1,2] --env.f-g "5" --env.h 1 2'
    )
    expected = {"a": 3, "b": 0.5, "c": True, "d": "word", "e": [1, 2], "f_g": "5", "h": [1, 2]}
    assert json_values(words.split(), "--env.") == expected


def test_a_flag_without_a_value_is_refused():
    with pytest.raises(ConfigError, match=r"--env.size needs a value"):
        json_values(["--env.size"], "--env.")
