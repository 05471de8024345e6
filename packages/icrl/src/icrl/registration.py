"""Registration: families under Gymnasium's ids; registering imports neither torch nor a family."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import gymnasium

from icrl.errors import PluginError, UsageError
from icrl.plugins.specs import FamilySpec

if TYPE_CHECKING:
    from icrl.vector import TaskVectorEnv


def register_families(specs: Iterable[FamilySpec]) -> None:
    """Register families with Gymnasium; a family that is registered already stays as it is.

    No `max_episode_steps` is registered: the horizon is a family's own, and Gymnasium would
    override it.

    Raises:
        PluginError: if another environment already has the id.
    """
    for spec in specs:
        family = {"id": spec.id, "entry_point": spec.entry_point}
        if spec.vector_entry_point is not None:
            family["vector_entry_point"] = spec.vector_entry_point
        kwargs = {"family": family, **spec.arguments}
        registered = gymnasium.registry.get(spec.id)
        if registered is None:
            gymnasium.register(
                spec.id,
                entry_point="icrl.registration:single_env",
                vector_entry_point="icrl.registration:vector_env",
                kwargs=kwargs,
            )
        elif registered.kwargs != kwargs:
            theirs = registered.kwargs.get("family", {}).get("entry_point", registered.entry_point)
            raise PluginError(
                f"{spec.id} is registered with Gymnasium as {theirs}; {spec.entry_point} "
                "cannot have the same id."
            )


def single_env(
    *,
    family: dict[str, str],
    split: str = "train",
    episodes_per_task: int | None = None,
    render_mode: str | None = None,
    **arguments: Any,
) -> gymnasium.Env:
    """What `gymnasium.make` calls.

    Raises:
        UsageError: if the family offers no single environment.
    """
    from icrl.families import Playable
    from icrl.plugins.families import family_of

    made = family_of(FamilySpec(id=family["id"], entry_point=family["entry_point"]), **arguments)
    if not isinstance(made, Playable):
        raise UsageError(
            f"{made.id} offers no single environment. "
            f"Use gymnasium.make_vec({made.id!r}, num_envs=1)."
        )
    return made.single_env(
        split=split, episodes_per_task=episodes_per_task, render_mode=render_mode
    )


def vector_env(
    num_envs: int = 1,
    *,
    family: dict[str, str],
    device: str = "cpu",
    split: str = "train",
    episodes_per_task: int | None = None,
    **arguments: Any,
) -> "TaskVectorEnv":
    """What `gymnasium.make_vec` calls: tasks are drawn at `reset(seed=...)`, with replacement."""
    from icrl.drawn import DrawnVectorEnv
    from icrl.plugins.families import family_of, load_entry_point

    if "vector_entry_point" in family:
        make = load_entry_point(family["vector_entry_point"])
        return make(num_envs, device, split, episodes_per_task=episodes_per_task, **arguments)
    made = family_of(FamilySpec(id=family["id"], entry_point=family["entry_point"]), **arguments)
    return DrawnVectorEnv(
        made, num_envs, split=split, episodes_per_task=episodes_per_task, device=device
    )


# Gymnasium reads an environment class's metadata before it makes the environment.
single_env.metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 8}  # type: ignore[attr-defined]
