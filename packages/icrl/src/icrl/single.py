"""TaskEnv: a single Gymnasium environment that plays one task at a time, and how it is reset."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from icrl.errors import ConfigError, SpaceError, TaskError
from icrl.families import Playable, TaskFamily
from icrl.spaces import from_arrays, to_arrays
from icrl.tasks import Tasks
from icrl.window import Window

RENDER_MODES = ("rgb_array", "human")


class TaskEnv(gymnasium.Env):
    """One environment of a family. It speaks NumPy and Python scalars.

    | call                                 | what it plays                                       |
    |--------------------------------------|-----------------------------------------------------|
    | `reset(seed=s)`                      | a task drawn from seed `s`; the noise is seeded too |
    | `reset(options={"task": t})`         | task `t`                                            |
    | `reset(seed=s, options={"task": t})` | task `t`, with the noise seeded                     |
    | `reset()`                            | another episode of the same task (at first: draws)  |

    With `episodes_per_task=k`, a bare reset after `k` episodes of a task draws a new one.
    `info["task"]` is a fresh dict of arrays that `options["task"]` accepts back; it is for
    recorders and plots, never for policies. Where the family reports success, `info["success"]`
    says whether this step reached it.

    A subclass says how an episode begins, advances and looks.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (as Gymnasium has it)
        "render_modes": list(RENDER_MODES),
        "render_fps": 8,
    }

    def __init__(
        self,
        family: Any,
        *,
        split: str = "train",
        episodes_per_task: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Keep what is to be played.

        Raises:
            SplitError: if the family has no such split.
            TaskError: for `episodes_per_task` below one.
            ConfigError: for a render mode that there is not.
            UsageError: for the mode `human` without pygame.
        """
        assert isinstance(family, TaskFamily) and isinstance(family, Playable)
        family.check_split(split)
        if episodes_per_task is not None and episodes_per_task < 1:
            raise TaskError(f"episodes_per_task={episodes_per_task}: expected 1 or more.")
        if render_mode not in (None, *RENDER_MODES):
            raise ConfigError(f"render_mode={render_mode!r}: expected {' or '.join(RENDER_MODES)}.")
        self.family: Any = family
        self.observation_space = family.observation_space
        self.action_space = family.action_space
        self.render_mode = render_mode
        self._split = split
        self._episodes_per_task = episodes_per_task
        self._tasks: Tasks | None = None
        self._episodes = 0  # of the current task, the running one included
        self._seeded = False  # whether any reset has seeded the noise yet
        self._running = False
        self._window = self._new_window() if render_mode == "human" else None

    @abstractmethod
    def begin(self, task: Tasks, seed: int | None) -> Any:
        """Open an episode of a task (a `Tasks` of one) and return its first observation.

        `seed` seeds the noise; None goes on with the generator as it is.
        """

    @abstractmethod
    def advance(self, action: Any) -> tuple[Any, float, bool, bool, bool | None]:
        """Act in the running episode: observation, reward, terminated, truncated, success (None:
        not reported).
        """

    @abstractmethod
    def picture(self) -> np.ndarray:
        """The episode as it stands, [height, width, 3] uint8; asked for in a render mode only."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Open an episode, as the table of the class says.

        Raises:
            TaskError: for a task that is not the family's, and for options other than `task`.
        """
        options = options or {}
        if unknown := options.keys() - {"task"}:
            raise TaskError(f"reset got the options {sorted(unknown)}; it takes 'task' alone.")
        given = self._read_task(options["task"]) if "task" in options else None
        super().reset(seed=seed)
        if given is not None:
            self._tasks, self._episodes = given, 0
        elif seed is not None or self._tasks is None or self._episodes == self._episodes_per_task:
            task_seed = int(self.np_random.integers(2**31)) if seed is None else seed
            self._tasks = self.family.sample_tasks(1, split=self._split, seed=task_seed)
            self._episodes = 0
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        self._seeded = True
        self._episodes += 1
        observation = self.begin(self._tasks, seed)
        self._running = True
        self._show()
        return observation, self._info(False if self.family.reports_success else None)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act.

        Raises:
            ResetNeeded: before the first reset, and after an episode has ended.
            SpaceError: for an action that the action space does not hold.
        """
        if not self._running:
            raise ResetNeeded(f"{self.family.id}: no episode is running; call reset() first.")
        action = self._read_action(action)
        observation, reward, terminated, truncated, success = self.advance(action)
        self._running = not (terminated or truncated)
        self._show()
        return observation, reward, terminated, truncated, self._info(success)

    def render(self) -> Any:
        """The picture of the episode, in the mode `rgb_array`; in the mode `human` the window shows
        it already.

        Raises:
            ResetNeeded: before the first reset.
        """
        if self._tasks is None:
            raise ResetNeeded(f"{self.family.id}: there is nothing to draw; call reset() first.")
        if self.render_mode == "human":
            self._show()
        return self.picture() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _show(self) -> None:
        if self.render_mode == "human":
            self._window = self._window or self._new_window()
            self._window.show(self.picture())

    def _new_window(self) -> Window:
        return Window(self.family.id, self.metadata["render_fps"])

    def _info(self, success: bool | None) -> dict[str, Any]:
        assert self._tasks is not None
        info: dict[str, Any] = {"task": self._tasks.row(0)}
        return info if success is None else info | {"success": success}

    def _read_action(self, action: Any) -> Any:
        """An action that a user gave, checked; in a Box any floats will do, as in Gymnasium."""
        try:
            read = _with_floats(self.action_space, action)
            fits = self.action_space.contains(read)
        except (TypeError, ValueError, LookupError):
            fits = False  # a Box would warn that it casts what has no numbers
        if not fits:
            raise SpaceError(
                f"{self.family.id} got the action {action!r}, expected one of {self.action_space}."
            )
        return read

    def _read_task(self, task: Any) -> Tasks:
        """A task that a user gave, checked against the family's task space."""
        expected = self.family.task_space.spaces
        if not isinstance(task, Mapping) or task.keys() != expected.keys():
            got = sorted(task) if isinstance(task, Mapping) else repr(task)
            raise TaskError(
                f"a task of {self.family.id} is a dict with {sorted(expected)}, got {got}. "
                'info["task"] has the form.'
            )
        arrays = {}
        for name, space in expected.items():
            array = _array_of(space, task[name])
            if array is None:
                raise TaskError(
                    f"a task of {self.family.id} has {name} in {space}, got {task[name]!r}."
                )
            arrays[name] = torch.from_numpy(array)[None]
        return Tasks(self.family.id, dict(self.family.arguments), "given", arrays)


def _array_of(space: spaces.Space, value: Any) -> np.ndarray | None:
    """A new array with a value of a leaf space; None if the space does not hold it."""
    try:
        array = np.array(to_arrays(space, value))
        same = np.shape(value) == array.shape and np.allclose(array, value)
        return array if same and space.contains(from_arrays(space, array)) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _with_floats(space: spaces.Space, value: Any) -> Any:
    """A value with what belongs into a Box cast to its dtype."""
    if isinstance(space, spaces.Dict):
        cast = {name: _with_floats(child, value[name]) for name, child in space.spaces.items()}
        return {**value, **cast}
    if isinstance(space, spaces.Tuple):
        return tuple(_with_floats(c, v) for c, v in zip(space.spaces, value, strict=True))
    return np.asarray(value, space.dtype) if isinstance(space, spaces.Box) else value
