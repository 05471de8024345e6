"""Evaluation: one return per trial and episode, and the directory that keeps them."""

import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from icrl import statistics
from icrl.errors import DamagedFileError, OutputError
from icrl.evaluation.trials import RecordedEpisode, read_recorded, write_recorded
from icrl.files import read_array, read_json, storage_error, sync_directory, write_array, write_json
from icrl.tasks import Tasks
from icrl.versions import stack_versions

FORMAT, VERSION = "icrl.evaluation", 1
MANIFEST = "evaluation.json"
ARRAYS = {
    "returns": np.float32,
    "lengths": np.int32,
    "success": np.bool_,
    "rewards": np.float32,
}
OPTIONAL = {"success", "rewards"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """What a policy earned in each episode of its trials."""

    agent: str
    """Who played; `random`, `source` and `optimum` are what agents are held against."""
    tasks: Tasks
    """The distinct tasks, with family, arguments and split."""
    task: NDArray[np.int64]
    """[trials]: the task of each trial, as a row of `tasks`."""
    seed: int
    """From which the environments' and the policy's noise came."""
    returns: NDArray[np.float32]
    """[trials, episodes]: one return each, in the environment's own units; with one trial a task,
    [tasks, episodes].
    """
    lengths: NDArray[np.int32]
    """[trials, episodes]: steps."""
    success: NDArray[np.bool_] | None = None
    """[trials, episodes]: whether the episode reached it; None where it was not reported."""
    rewards: NDArray[np.float32] | None = None
    """[trials, steps]: what each step earned, where a trial of the family is one episode, all
    were equally long and none terminated; else None.
    """
    reports_success: bool = False
    """Whether the family reports success; then nothing else counts as solved."""
    optimal_return: NDArray[np.float32] | None = None
    """[tasks]: expected return of one episode of the best policy that knows the task; None if
    unknown.
    """
    random_return: NDArray[np.float32] | None = None
    """[tasks]: expected return of one episode of uniformly random actions; None if unknown."""
    episodes_asked: int
    """How many episodes were asked for; there are fewer if `max_steps` ended the trials."""
    cut: bool = False
    """Whether `max_steps` ended the trials within their first episode, whose return is then what it
    was so far.
    """
    training_seed: int | None = None
    """From which the agent was trained; results of several are runs of one agent."""
    memory: str | None = None
    """How long the policy's context lasts, as an agent's spec says: `none`, `episode` or `trial`;
    None: unknown.
    """
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else a reader should know (plain JSON data): how actions were drawn, what the agent was
    trained with.
    """
    command: str = ""
    """The command line that made it."""
    versions: Mapping[str, str] = field(default_factory=stack_versions)
    """Of our packages and those that they stand on."""
    recorded: tuple[RecordedEpisode, ...] = field(default=(), repr=False)
    """Some episodes, step by step, for pictures."""

    @property
    def num_trials(self) -> int:
        """Trials: at least one for each task."""
        return self.returns.shape[0]

    @property
    def episodes(self) -> int:
        """Episodes in each trial."""
        return self.returns.shape[1]

    def by_task(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Values of trials, [trials, ...], as means of each task's trials, [tasks, ...]."""
        count = np.bincount(self.task, minlength=len(self.tasks))
        total = np.zeros((len(self.tasks), *values.shape[1:]))
        np.add.at(total, self.task, np.asarray(values, np.float64))
        return total / count.reshape(-1, *(1,) * (values.ndim - 1))

    def solved(self) -> NDArray[np.bool_] | None:
        """Whether each trial solved its task, [trials]; see `icrl.statistics.solved`."""
        if self.success is None and (self.reports_success or self.cut):
            return None
        optimal = None if self.optimal_return is None else self.optimal_return[self.task]
        return statistics.solved(self.returns, self.success, optimal)

    def save(self, directory: Path, *, replace: bool = False) -> None:
        """Write the result directory, whole or not at all.

        A result of the same agent, trained alike, on the same tasks is replaced; any other only
        where `replace` says so.

        Raises:
            OutputError: if the directory holds something else.
            StorageError: if it cannot be written.
        """
        directory = Path(directory)
        if not replace:
            check_place(
                directory,
                agent=self.agent,
                tasks=self.tasks,
                training_seed=self.training_seed,
                details=self.details,
            )
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
        except OSError as error:
            raise storage_error(directory, error) from error
        try:
            self._write(fresh)
            os.chmod(fresh, 0o755)
            if directory.exists():
                shutil.rmtree(directory)
            os.replace(fresh, directory)
            sync_directory(directory.parent)
        except OSError as error:
            raise storage_error(directory, error) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _write(self, directory: Path) -> None:
        for name in ARRAYS:
            if getattr(self, name) is not None:
                write_array(directory / f"{name}.npy", getattr(self, name))
        write_array(directory / "task.npy", self.task)
        self.tasks.save(directory / "tasks.safetensors")
        if self.recorded:
            write_recorded(directory / "trials.safetensors", self.recorded)
        checksums = {path.name: _checksum(path) for path in sorted(directory.iterdir())}
        write_json(directory / MANIFEST, self._manifest() | {"checksums": checksums})

    def _manifest(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "agent": self.agent,
            "family": self.tasks.family,
            "arguments": dict(self.tasks.arguments),
            "split": self.tasks.split,
            "tasks": len(self.tasks),
            "trials": self.num_trials,
            "episodes": self.episodes,
            "steps": None if self.rewards is None else self.rewards.shape[1],
            "episodes_asked": self.episodes_asked,
            "cut": self.cut,
            "seed": self.seed,
            "training_seed": self.training_seed,
            "memory": self.memory,
            "optimal_return": _to_json(self.optimal_return),
            "random_return": _to_json(self.random_return),
            "reports_success": self.reports_success,
            "solved_rule": self.solved_rule,
            "details": dict(self.details),
            "command": self.command,
            "versions": dict(self.versions),
        }

    @property
    def solved_rule(self) -> str:
        """What solved means here, in words."""
        late = statistics.last_part(self.episodes)
        episodes = statistics.episode_range(late.start + 1, late.stop)
        if self.success is not None:
            return f"success in at least half of {episodes}"
        if self.solved() is not None:
            return f"mean return over {episodes} of at least half of the task's own optimum"
        if self.reports_success:
            return "unknown: success was not recorded"
        if self.cut:
            return "unknown: the first episode was cut short"
        return "unknown: no success is reported, and not every optimum is known and positive"

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a result directory.

        Raises:
            DamagedFileError: if a file is missing, damaged, altered or foreign; the message names
                it.
        """
        directory = Path(directory)
        path = directory / MANIFEST
        data = read_json(path)
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise DamagedFileError(f"{path} is not an evaluation that icrl wrote.")
        if data.get("version") != VERSION:
            raise DamagedFileError(
                f"{path} has format version {data.get('version')}; this icrl reads {VERSION}."
            )
        try:
            return cls._read(directory, data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DamagedFileError(
                f"{path} is damaged: {type(error).__name__}: {error}."
            ) from error

    @classmethod
    def _read(cls, directory: Path, data: Mapping[str, Any]) -> Self:
        for name, expected in data["checksums"].items():
            if _checksum(directory / name) != expected:
                raise DamagedFileError(
                    f"{directory / name} is not what {MANIFEST} lists: it was altered or "
                    "truncated. Evaluate again."
                )
        listed = data["checksums"]
        columns = {"rewards": data.get("steps")}
        arrays: dict[str, Any] = {
            name: _array(
                directory / f"{name}.npy",
                dtype,
                (data["trials"], columns.get(name, data["episodes"])),
            )
            for name, dtype in ARRAYS.items()
            if f"{name}.npy" in listed or name not in OPTIONAL
        }
        recorded = directory / "trials.safetensors"
        return cls(
            **arrays,
            agent=data["agent"],
            tasks=Tasks.load(directory / "tasks.safetensors"),
            task=_array(directory / "task.npy", np.int64, (data["trials"],)),
            seed=data["seed"],
            optimal_return=_from_json(data["optimal_return"]),
            random_return=_from_json(data["random_return"]),
            episodes_asked=data["episodes_asked"],
            cut=data["cut"],
            reports_success=data["reports_success"],
            training_seed=data["training_seed"],
            memory=data.get("memory"),
            details=data["details"],
            command=data["command"],
            versions=data["versions"],
            recorded=read_recorded(recorded) if recorded.name in listed else (),
        )


def check_place(
    directory: Path,
    *,
    agent: str,
    tasks: Tasks,
    training_seed: int | None,
    details: Mapping[str, Any],
) -> None:
    """Refuse a directory that holds anything but a result of the same agent, trained alike, on
    tasks of the same split.

    Raises:
        OutputError: saying what it holds.
    """
    directory = Path(directory)
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    what = "something else"
    if (directory / MANIFEST).is_file():
        ours = {
            "agent": agent,
            "family": tasks.family,
            "arguments": dict(tasks.arguments),
            "split": tasks.split,
            "training_seed": training_seed,
            "details": dict(details),
        }
        try:
            data = read_json(directory / MANIFEST)
            differing = [name for name, value in ours.items() if data.get(name) != value]
        except (DamagedFileError, AttributeError):
            differing = []
            what = "a damaged result"
        else:
            if not differing:
                return
            what = "another result: " + "; ".join(
                f"{name.replace('_', ' ')} {data.get(name)!r}, here {ours[name]!r}"
                for name in differing
            )
    raise OutputError(f"{directory} holds {what}. Choose another --out, or remove it.")


def _array(path: Path, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    array = read_array(path)
    if array.dtype != dtype or array.shape != shape:
        raise DamagedFileError(
            f"{path} holds {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}."
        )
    return array


def _checksum(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DamagedFileError(f"cannot read {path}: {error.strerror or error}.") from error


def _to_json(values: NDArray[np.float32] | None) -> list[float | None] | None:
    """Shortest decimals that give the same float32 back; what is not finite, as null."""
    if values is None:
        return None
    return [float(str(v)) if math.isfinite(v) else None for v in values.astype(np.float32)]


def _from_json(values: list[float | None] | None) -> NDArray[np.float32] | None:
    if values is None:
        return None
    return np.array([math.nan if value is None else value for value in values], np.float32)


Progress = Callable[[float], object]
"""Told how many episodes have been played since it was told last, and parts of those that run."""
