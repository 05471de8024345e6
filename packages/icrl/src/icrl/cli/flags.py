"""Settings as flags: `--agent.KEY` and `--source.KEY`, from the dataclasses that hold them."""

import ast
import dataclasses
import inspect
import json
import textwrap
import typing
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

import tyro

from icrl.config import Config
from icrl.errors import ConfigError


def parse_flags(
    settings: Mapping[str, Config], words: Sequence[str], *, program: str
) -> dict[str, Config]:
    """The settings with what flags say.

    Args:
        settings: the defaults, by group; a group without fields has no flags.
        words: the flags and their values; `--help` shows them all.
        program: how the command is called in messages.

    Raises:
        ConfigError: for values that the settings refuse.
        SystemExit: after a message for unknown flags and wrong types (2), after the help (0).
    """
    groups = {group: config for group, config in settings.items() if dataclasses.fields(config)}
    words, tables = _without_tables(groups, words)
    parsed: Any = tyro.cli(
        dataclasses.make_dataclass(
            "Settings",
            [_nested(group, config) for group, config in groups.items()],
            frozen=True,
            kw_only=True,
        ),
        args=words,
        prog=program,
        use_underscores=True,
    )
    return {
        group: _filled(config, getattr(parsed, group), tables[group])
        for group, config in groups.items()
    }


def json_values(words: Sequence[str], prefix: str) -> dict[str, Any]:
    """The values of flags `--PREFIX.KEY VALUE`, by key.

    A value is JSON where it reads as JSON (`9`, `true`, `[4, 4]`), else a string; several values
    make a list.

    Raises:
        ConfigError: for a flag without a value.
    """
    found: dict[str, list[Any]] = {}
    values: list[Any] = []
    for word in words:
        if word.startswith(prefix):
            key, equals, value = word.removeprefix(prefix).partition("=")
            values = found[key.replace("-", "_")] = [_value(value)] if equals else []
        else:
            values.append(_value(word))
    for key, given in found.items():
        if not given:
            raise ConfigError(
                f"{prefix}{key} needs a value: {prefix}{key} 9 or {prefix}{key} true."
            )
    return {key: given[0] if len(given) == 1 else given for key, given in found.items()}


def field_docstrings(config: type[Config]) -> dict[str, str]:
    """The docstring under each field, as one line."""
    found: dict[str, str] = {}
    for each in reversed(config.__mro__):
        if not dataclasses.is_dataclass(each):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0].body  # type: ignore[attr-defined]
        for field, after in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                text = ast.literal_eval(after.value)
                found[ast.unparse(field.target)] = " ".join(text.split())
    return found


def _without_tables(
    groups: Mapping[str, Config], words: Sequence[str]
) -> tuple[list[str], dict[str, dict[str, dict[str, Any]]]]:
    """The words for tyro, and by group the values of fields that are tables with any keys."""
    rest = list(words)
    tables: dict[str, dict[str, dict[str, Any]]] = {group: {} for group in groups}
    for group, config in groups.items():
        for field in dataclasses.fields(config):
            if not isinstance(getattr(config, field.name), dict):
                continue
            prefix = f"--{group}.{field.name}."
            taken: list[str] = []
            kept: list[str] = []
            current = kept
            for word in rest:
                if word.startswith("--"):
                    current = taken if word.startswith(prefix) else kept
                current.append(word)
            rest = kept
            tables[group][field.name] = json_values(taken, prefix)
    return rest, tables


def _described(config: Config) -> type:
    """A dataclass like the settings' own, with these values as defaults and whole paragraphs.

    tyro would keep the line breaks of a docstring that has more than one line.
    """
    hints, docstrings = typing.get_type_hints(type(config)), field_docstrings(type(config))
    fields: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(config):
        value, text = getattr(config, field.name), docstrings.get(field.name, "")
        if isinstance(value, Config):
            fields.append(_nested(field.name, value))
            continue
        hint: Any = hints[field.name]
        argument = tyro.conf.arg(help=text)
        if isinstance(value, dict):  # shown so, and taken out before tyro parses
            name = f"{field.name}.KEY"
            hint, argument = str, tyro.conf.arg(name=name, metavar="JSON", help=text)
            value = json.dumps(value)
        helped: Any = Annotated[hint, argument]
        default = dataclasses.field(default_factory=partial(_same, value))
        fields.append((field.name, helped, default))
    described = dataclasses.make_dataclass(type(config).__name__, fields, frozen=True, kw_only=True)
    described.__doc__ = inspect.cleandoc(type(config).__doc__ or "").split("\n\n")[0]
    return described


def _nested(name: str, config: Config) -> tuple[str, Any, Any]:
    described = _described(config)
    return name, described, dataclasses.field(default_factory=described)


def _same(value: Any) -> Any:
    return value


def _filled(config: Config, parsed: Any, tables: Mapping[str, dict[str, Any]]) -> Config:
    """The settings with the values of a parsed `_described` dataclass, and more in their tables."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        ours = getattr(config, field.name)
        if isinstance(ours, Config):
            values[field.name] = _filled(ours, getattr(parsed, field.name), {})
        elif isinstance(ours, dict):
            values[field.name] = ours | tables.get(field.name, {})
        else:
            values[field.name] = getattr(parsed, field.name)
    return dataclasses.replace(config, **values)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False}.get(text, text)
