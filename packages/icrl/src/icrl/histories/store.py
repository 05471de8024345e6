"""HistoryStore: many learning histories on disk."""

import re
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from icrl.errors import ConfigError, DamagedFileError, OutputError
from icrl.files import storage_error
from icrl.histories.claims import ClaimedFile
from icrl.histories.columns import Layout
from icrl.histories.episodes import Episodes, KeptEpisodes
from icrl.histories.manifest import Manifest
from icrl.histories.recorder import HistoryRecorder
from icrl.histories.rows import MappedRows, ResidentRows
from icrl.histories.shard import REMEDY, Place, Shard
from icrl.histories.summary import StoreSummary, summary
from icrl.histories.windows import Windows, WindowSampler
from icrl.tasks import Tasks

MANIFEST = "manifest.json"
OURS = re.compile(r"manifest\.json|shard-\d+\.safetensors|.*\.partial")
RESIDENT_BYTES = 1 << 30
"""Stores up to so many bytes are held on the device while windows are sampled from them."""


class HistoryStore:
    """Learning histories of one source on tasks of one family: a directory of shards and their
    manifest.

    A shard that stands in the directory is whole. The manifest lists the shards that it has seen;
    one that a writer finished without living to list it counts just the same. Any number of
    processes, also on several machines over a shared folder, may fill one store: each claims a
    shard at a time.
    """

    def __init__(self, directory: Path, manifest: Manifest, shards: Sequence[Shard]) -> None:
        self.directory = directory
        self.manifest = manifest
        self.shards = tuple(shards)
        self._maps: dict[int, dict[str, Tensor]] = {}
        self._episodes: Episodes | None = None
        self._samplers: dict[object, WindowSampler] = {}

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open a store for reading.

        Raises:
            DamagedFileError: if there is no store, or a shard is missing, truncated or another
                store's.
        """
        directory = Path(directory)
        manifest = Manifest.load(directory / MANIFEST)
        shards = _whole_shards(directory, manifest)
        by_number = {shard.number: shard for shard in shards}
        for entry in manifest.shards:
            shard = by_number.get(entry["number"])
            if shard is None:
                raise DamagedFileError(f"{directory / entry['file']} is missing. {REMEDY}")
            if shard.checksum != entry["checksum"]:
                raise DamagedFileError(
                    f"{shard.path} is not the shard that {MANIFEST} lists. {REMEDY}"
                )
        return cls(directory, manifest.with_shards(shards), shards)

    @classmethod
    def create(cls, directory: Path, manifest: Manifest) -> Self:
        """Begin a store, or go on with the one that an equal manifest began; missing shards are to
        be recorded.

        Raises:
            OutputError: if the directory holds something else, also a store of another family,
                source or seed.
            StorageError: if the directory cannot be written.
        """
        directory = Path(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            foreign = [path.name for path in directory.iterdir() if not OURS.fullmatch(path.name)]
        except (FileExistsError, NotADirectoryError) as error:
            raise OutputError(f"{directory} is a file. Choose another --out.") from error
        except OSError as error:
            raise storage_error(directory, error) from error
        if foreign and not (directory / MANIFEST).exists():
            raise OutputError(
                f"{directory} holds something else than histories: {foreign[0]}. "
                "Choose another --out."
            )
        store = cls(directory, manifest, ())
        store.list_shards()
        return store

    @property
    def layout(self) -> Layout:
        """The columns of the shards."""
        interface = self.manifest.interface
        return Layout.of(
            interface.observation_space, interface.action_space, self.manifest.optional_columns()
        )

    @property
    def is_complete(self) -> bool:
        """Whether all shards are there that collecting is to bring."""
        plan = self.manifest.plan
        return plan is None or len(self.shards) == plan.num_shards

    @property
    def num_streams(self) -> int:
        """Learning histories in the store."""
        return sum(shard.streams for shard in self.shards)

    @property
    def tasks(self) -> Tasks:
        """The task of each stream, [streams].

        Raises:
            ConfigError: if the store has no whole shard.
        """
        self._check_not_empty()
        parts = [
            self._tasks_of(shard.number).repeat(shard.streams_per_task) for shard in self.shards
        ]
        return Tasks.concatenate(parts)

    def append(
        self, tasks: Tasks, *, streams_per_task: int, steps: int, device: torch.device | str = "cpu"
    ) -> HistoryRecorder:
        """A recorder for the next free shard, to be used as a context manager.

        Args:
            tasks: the tasks of the shard.
            streams_per_task: learning histories of each task.
            steps: steps of each of them.
            device: where the tensors to be recorded live.
        """
        for number in count():
            recorder = self.claim(
                number, tasks, streams_per_task=streams_per_task, steps=steps, device=device
            )
            if recorder is not None:
                return recorder
        raise AssertionError("numbers do not end")

    def claim(
        self,
        number: int,
        tasks: Tasks,
        *,
        streams_per_task: int,
        steps: int,
        device: torch.device | str = "cpu",
        advance: Callable[[int], object] | None = None,
    ) -> HistoryRecorder | None:
        """A recorder for the shard of this number; None if it is whole already or another writer
        has it.

        `advance` is called now and then with the number of transitions newly recorded.
        """
        path = self.directory / shard_name(number)
        file = None if path.exists() else ClaimedFile.claim(path)
        if file is None:
            return None
        if path.exists():  # finished by another writer between the two lines above
            file.release()
            return None
        place = Place(self.manifest.key, number, streams_per_task, steps, tasks.arrays)
        return HistoryRecorder(
            file,
            self.manifest.interface,
            tasks,
            place,
            device=torch.device(device),
            advance=advance,
            finished=self.list_shards,
        )

    def list_shards(self) -> None:
        """Look which shards are whole by now, and write the manifest if it lists others.

        Raises:
            OutputError: if the directory has become another store's.
            DamagedFileError: if a shard is truncated or another store's.
        """
        path = self.directory / MANIFEST
        with ClaimedFile.wait_for(path) as file:
            begun = Manifest.load(path) if path.exists() else None
            if begun is not None and begun.key != self.manifest.key:
                differences = "; ".join(self.manifest.differences(begun))
                raise OutputError(
                    f"{self.directory} holds other histories: {differences}. "
                    "Choose another --out, or delete it."
                )
            shards = _whole_shards(self.directory, self.manifest)
            manifest = (begun or self.manifest).with_shards(shards)
            if begun is None or begun.shards != manifest.shards:
                file.write(manifest.to_bytes(), 0)
                file.commit()
        self.manifest, self.shards = manifest, tuple(shards)
        self._maps, self._episodes, self._samplers = {}, None, {}

    def shard_tensors(self, number: int) -> dict[str, Tensor]:
        """The tensors of a shard, mapped into memory; its checksum is compared the first time.

        Raises:
            DamagedFileError: if the shard was altered.
        """
        if number not in self._maps:
            (shard,) = (shard for shard in self.shards if shard.number == number)
            shard.verify()
            self._maps[number] = shard.map()
        return self._maps[number]

    def verify(self) -> None:
        """Compare the checksums of all shards.

        Raises:
            DamagedFileError: naming the first file that was altered.
        """
        for shard in self.shards:
            shard.verify()

    def info(self) -> StoreSummary:
        """What the store holds, at a glance."""
        return summary(self)

    def episodes(self) -> Episodes:
        """Where each episode lies."""
        if self._episodes is None:
            tensors = [self.shard_tensors(shard.number) for shard in self.shards]
            self._episodes = Episodes.of(
                [shard["terminated"] | shard["truncated"] for shard in tensors]
            )
        return self._episodes

    def window_sampler(
        self,
        *,
        device: torch.device | str,
        every: int = 1,
        part: tuple[float, float] = (0.0, 1.0),
        from_start: float = 0.0,
        columns: Sequence[str] = (),
        resident: bool | None = None,
    ) -> WindowSampler:
        """Prepare for sampling windows.

        Args:
            device: where the windows are to be.
            every: keep every so many episodes, from a phase drawn for each window.
            part: windows lie between these fractions of what is kept of a history; (0.9, 1.0) is
                the last, expert tenth. What stands before a window stays what was before it.
            from_start: probability that a window begins where the part does: at the history's
                start, with nothing before it, unless the part begins later.
            columns: further columns of the row that follows each timestep: optional ones by their
                names, or `reward`, `terminated`, `truncated`.
            resident: whether to hold the columns on the device; default: up to 1 GiB of shards.

        Raises:
            ConfigError: for values out of range, columns that are not there, or a store without a
            shard. DamagedFileError: if a shard was altered.
        """
        layout = self.layout
        self._check_sampling(layout, every, part, from_start, columns)
        kept = KeptEpisodes.of(self.episodes(), every=every)
        if resident is None:
            resident = sum(shard.num_bytes for shard in self.shards) <= RESIDENT_BYTES
        names = {column.name for column in map(layout.named, columns)}
        needed = [
            c for c in layout.per_step() if not c.name.startswith("optional/") or c.name in names
        ]
        device = torch.device(device)
        rows = (ResidentRows if resident else MappedRows)(
            layout, [self.shard_tensors(shard.number) for shard in self.shards], needed, device
        )
        return WindowSampler(
            layout, rows, kept, part=part, from_start=from_start, columns=columns, device=device
        )

    def windows(
        self,
        num_windows: int,
        length: int,
        *,
        generator: torch.Generator,
        device: torch.device | str,
        every: int = 1,
        part: tuple[float, float] = (0.0, 1.0),
        from_start: float = 0.0,
        columns: Sequence[str] = (),
        resident: bool | None = None,
    ) -> Windows:
        """Sample windows [num_windows, length]; see `window_sampler`, which is prepared once for
        equal arguments.
        """
        settings = (torch.device(device), every, tuple(part), from_start, tuple(columns), resident)
        if settings not in self._samplers:
            self._samplers[settings] = self.window_sampler(
                device=device,
                every=every,
                part=part,
                from_start=from_start,
                columns=columns,
                resident=resident,
            )
        return self._samplers[settings].windows(num_windows, length, generator=generator)

    def _tasks_of(self, number: int) -> Tasks:
        interface = self.manifest.interface
        arrays = {
            name.removeprefix("task/"): tensor
            for name, tensor in self.shard_tensors(number).items()
            if name.startswith("task/")
        }
        return Tasks(interface.family, interface.arguments, self.manifest.split, arrays)

    def _check_not_empty(self) -> None:
        if not self.shards:
            raise ConfigError(
                f"{self.directory} holds no whole shard yet; let `icrl collect` finish first."
            )

    def _check_sampling(
        self,
        layout: Layout,
        every: int,
        part: tuple[float, float],
        from_start: float,
        columns: Sequence[str],
    ) -> None:
        self._check_not_empty()
        if every < 1:
            raise ConfigError(f"every is {every}; keep every 1, 2, ... episodes.")
        if not 0.0 <= part[0] < part[1] <= 1.0:
            raise ConfigError(
                f"part is {tuple(part)}; it needs two rising fractions, like (0.9, 1.0)."
            )
        if not 0.0 <= from_start <= 1.0:
            raise ConfigError(f"from_start is {from_start}; it is a probability.")
        known = [*layout.optional, "reward", "terminated", "truncated"]
        for name in columns:
            if name not in known:
                raise ConfigError(
                    f"{self.directory} has no column {name!r}. It has: {', '.join(known)}."
                )


def shard_name(number: int) -> str:
    """The file of a shard."""
    return f"shard-{number:05d}.safetensors"


def _whole_shards(directory: Path, manifest: Manifest) -> list[Shard]:
    """The shards in a directory, by number.

    Raises:
        DamagedFileError: if one is truncated or another store's.
    """
    shards = [Shard.read(path) for path in sorted(directory.glob("*.safetensors"))]
    for shard in shards:
        if shard.store != manifest.key or shard.path.name != shard_name(shard.number):
            raise DamagedFileError(
                f"{shard.path} is a shard of another store, not of {directory}. Move it away."
            )
        if shard.optional != shards[0].optional:
            raise DamagedFileError(
                f"{shard.path} has other columns than {shards[0].path.name}. {REMEDY}"
            )
    if shards:
        interface = manifest.interface
        layout = Layout.of(interface.observation_space, interface.action_space, shards[0].optional)
        for shard in shards:
            shard.check_layout(layout)
    return shards
