"""Finding a Gymnasium environment by its id, also one that no import has registered yet."""

import difflib
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
from gymnasium import error as gymnasium_errors
from gymnasium.envs.registration import EnvSpec, load_env_creator

from icrl.errors import ConfigError, MissingPackageError, UnknownFamilyError
from icrl.wrapped.quiet import quieten_simulators


@dataclass(frozen=True)
class Provider:
    """A package whose import registers the ids that begin so."""

    prefixes: tuple[str, ...]
    module: str
    distribution: str
    """What pip installs."""


ROADS = ("highway-", "merge-", "roundabout-", "parking-", "intersection-", "racetrack-")
ROBOTS = ("Fetch", "Hand", "Adroit", "PointMaze", "AntMaze", "FrankaKitchen")
PROVIDERS = (
    Provider(("MiniGrid-", "BabyAI-"), "minigrid", "minigrid"),
    Provider(("ALE/",), "ale_py", "ale-py"),
    Provider(("Meta-World/",), "metaworld", "metaworld"),
    Provider(("MiniWorld-",), "miniworld", "miniworld"),
    Provider(("Vizdoom",), "vizdoom.gymnasium_wrapper", "vizdoom"),
    Provider(("popgym-",), "popgym", "popgym"),
    Provider(("dm_control/",), "shimmy", "shimmy[dm-control]"),
    Provider(ROADS, "highway_env", "highway-env"),
    Provider(ROBOTS, "gymnasium_robotics", "gymnasium-robotics"),
    Provider(("Panda",), "panda_gym", "panda-gym"),
)


def find_spec(id: str) -> EnvSpec:
    """The specification of an id, after importing what registers it.

    `module:Id` imports that module.

    Raises:
        UnknownFamilyError: with the nearest id.
        MissingPackageError: with the pip line of the package that would bring the id.
    """
    module, _, name = id.rpartition(":")
    if module:
        _import(module, id, module.partition(".")[0])
    elif name not in gymnasium.registry:
        for provider in PROVIDERS:
            if name.startswith(provider.prefixes):
                _import(provider.module, id, provider.distribution)
    try:
        return gymnasium.spec(name)
    except gymnasium_errors.Error as error:
        raise UnknownFamilyError(
            f"no Gymnasium environment is called {name!r}.{_nearest(name)}"
        ) from error


def make(
    spec: EnvSpec, arguments: Mapping[str, Any], render_mode: str | None = None
) -> gymnasium.Env:
    """Make an environment of a specification, and keep its simulator from littering.

    Raises:
        ConfigError: if the environment does not take the arguments.
        MissingPackageError: if its simulator is not installed.
    """
    rendering: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}
    try:
        if isinstance(spec.entry_point, str):
            load_env_creator(
                spec.entry_point
            )  # imports the simulator, whose compiler may already complain in `make`
        quieten_simulators()
        return gymnasium.make(spec, disable_env_checker=True, **rendering, **arguments)
    except (gymnasium_errors.DependencyNotInstalled, ModuleNotFoundError) as error:
        raise MissingPackageError(f"{spec.id} cannot be made: {error}") from error
    except TypeError as error:
        if not arguments:
            raise
        raise ConfigError(f"{spec.id} cannot be made with {dict(arguments)}: {error}") from error


def _import(module: str, id: str, distribution: str) -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise MissingPackageError(
                f"{id!r} needs the module {module!r}, which fails to import: {error}. Install what "
                "it misses."
            ) from error
        raise MissingPackageError(
            f"{id!r} comes with the module {module!r}, which is not installed. It comes with: pip "
            f"install {distribution}"
        ) from error
    quieten_simulators()


def _nearest(name: str) -> str:
    by_lower_case = {known.lower(): known for known in gymnasium.registry}
    nearest = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.6)
    return f" Did you mean {by_lower_case[nearest[0]]!r}?" if nearest else ""
