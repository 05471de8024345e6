"""make_family: any family by its id, a plugin's own or one derived from a Gymnasium environment."""

import importlib
import inspect
import json
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from icrl.errors import ConfigError, PluginError, UnknownFamilyError
from icrl.plugins.host import blamed, plugin_host
from icrl.plugins.lookup import unknown_name
from icrl.plugins.specs import FamilySpec

if TYPE_CHECKING:
    from icrl.families import TaskFamily


def load_entry_point(entry_point: str) -> Any:
    """Import what `module:attribute` names.

    Raises:
        PluginError: if the module has no such attribute.
    """
    module_name, _, attribute = entry_point.partition(":")
    found: Any = importlib.import_module(module_name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise PluginError(
                f"{entry_point!r} cannot be loaded: {module_name} has no {attribute!r}."
            )
        found = getattr(found, part)
    return found


def make_family(id: str, **arguments: Any) -> "TaskFamily":
    """Make a family by its id.

    Args:
        id: an id that a plugin provides, or any Gymnasium id: its tasks are then seeds.
        arguments: the family's keywords; they win over those that the id fixes.

    Raises:
        UnknownFamilyError: if neither a plugin nor Gymnasium knows the id.
        ConfigError: for a keyword that the family does not have, or a value of the wrong type.
        PluginError: if the plugin's own code fails.
    """
    provided = plugin_host().families.get(id)
    if provided is None:
        family = _from_gymnasium(id, arguments)
        family.id, family.arguments = id, _as_json(id, arguments)
        return family
    with blamed(provided.record, f"making {id} with {arguments}"):
        return family_of(provided.spec, **arguments)


def family_of(spec: FamilySpec, **arguments: Any) -> "TaskFamily":
    """Make the family of a spec, with no plugin host: in a worker process there need be none.

    Raises:
        ConfigError: for a keyword that the family does not have, or a value of the wrong type.
    """
    family_class = load_entry_point(spec.entry_point)
    merged = _as_json(spec.id, {**spec.arguments, **arguments})
    family = family_class(**_checked_keywords(spec.id, family_class, merged))
    family.id, family.arguments = spec.id, merged
    return family


def family_keywords(id: str) -> dict[str, inspect.Parameter]:
    """The keywords of a plugin's family, with the defaults of this id; imports the family."""
    provided = plugin_host().families[id]
    with blamed(provided.record, f"loading {id}"):
        family_class = load_entry_point(provided.spec.entry_point)
    return _keywords(family_class, provided.spec)


def _checked_keywords(id: str, family_class: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the constructor takes them: known, of fitting types, with its tuples."""
    parameters = inspect.signature(family_class).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    known = [
        name
        for name, parameter in parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    hints = typing.get_type_hints(family_class.__init__)
    checked = {}
    for name, value in arguments.items():
        if name not in known and not open_ended:
            raise ConfigError(
                f"{id} has no keyword {name!r}. It has: {', '.join(known) or 'none'}."
            )
        hint = hints.get(name, Any)
        checked[name] = _as_tuple(value, hint)
        if not _fits(checked[name], hint):
            expected = (
                str(hint).replace("typing.", "") if typing.get_origin(hint) else hint.__name__
            )
            raise ConfigError(f"{id} got {name}={value!r}, expected {expected}.")
    return checked


def _keywords(family_class: Any, spec: FamilySpec) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(family_class, eval_str=True).parameters
    return {
        name: parameter.replace(default=spec.arguments.get(name, parameter.default))
        for name, parameter in parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }


def _from_gymnasium(id: str, arguments: Mapping[str, Any]) -> "TaskFamily":
    from icrl.wrapped import GymnasiumFamily

    try:
        return GymnasiumFamily(id, **arguments)
    except UnknownFamilyError as error:
        import gymnasium

        raise unknown_name("families", id, gymnasium.registry) from error


def _as_json(id: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as a file would give them back, so that equal families compare equal."""
    try:
        return json.loads(json.dumps(dict(arguments), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{id} got the arguments {dict(arguments)!r}; they must be numbers, strings, true or "
            f"false, lists or tables, so that a result can name them ({error})."
        ) from error


def _as_tuple(value: Any, hint: Any) -> Any:
    """JSON has no tuples: a list becomes one where only a tuple is wanted."""
    options = typing.get_args(hint) if _is_union(hint) else (hint,)
    wants_tuple = any(option is tuple or typing.get_origin(option) is tuple for option in options)
    return tuple(value) if wants_tuple and isinstance(value, list) else value


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value fits an annotation; annotations of anything but plain data always fit."""
    if _is_union(hint):
        return any(_fits(value, option) for option in typing.get_args(hint))
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (bool, str, list, tuple, dict, type(None)):
        return isinstance(value, hint)
    origin = typing.get_origin(hint)
    if origin in (list, tuple, dict):
        return isinstance(value, origin)
    return True
