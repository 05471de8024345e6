"""Run: what a learner is given for its work: budget, seed, progress, logging, checkpoints."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from icrl.errors import DamagedFileError
from icrl.files import read_tensors, write_tensors
from icrl.progress import Advance, progress
from icrl.scalars import ScalarLog

Budget = Literal["smoke", "default", "full"]


@dataclass
class Run:
    """What a learner is given for its work.

    Scalars go to `DIR/progress.csv` and to TensorBoard event files in `DIR/tensorboard/`; the
    checkpoint is `DIR/checkpoint.safetensors`. A resumed run first drops the rows that were logged
    after its checkpoint.
    """

    directory: Path
    """Where logs and checkpoints go."""
    seed: int = 0
    """From which every generator of the run is derived."""
    budget: Budget = "default"
    """How much work was asked for; settings have already been chosen by it."""
    quiet: bool = False
    """Show no progress bar."""
    num_tasks: int | None = None
    """At most so many training tasks; None: all that a finite split has, or the learner's own
    choice.
    """
    checkpoint_seconds: float = 30.0
    """How often `checkpoint_due` says yes, in seconds."""
    _resumed_step: int | None = field(default=None, init=False, repr=False)
    _scalars: ScalarLog | None = field(default=None, init=False, repr=False)
    _last_checkpoint: float = field(default_factory=time.monotonic, init=False, repr=False)

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        """A generator of its own for each purpose, derived from the seed."""
        digest = hashlib.sha256(f"{self.seed}/{purpose}".encode()).digest()
        return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "little"))

    @contextmanager
    def progress(
        self, total: int, description: str, *, done: int = 0, unit: str = "it"
    ) -> Iterator[Advance]:
        """A progress bar with rate and time left; `advance(steps, loss=0.5)` moves it.

        Args:
            total: how many steps there are.
            description: what is being done.
            done: how many were done before, by a run that this one goes on with.
            unit: what a step is called.
        """
        with progress(total, description, done=done, unit=unit, quiet=self.quiet) as advance:
            yield advance

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Log scalars of a step (how many updates are done).

        Raises:
            StorageError: if the disk is full.
        """
        if self._scalars is None:
            self._scalars = ScalarLog(self.directory, self._resumed_step)
        self._scalars.log(step, scalars)

    @property
    def checkpoint_path(self) -> Path:
        """The file that the checkpoint is written to."""
        return self.directory / "checkpoint.safetensors"

    def checkpoint_due(self) -> bool:
        """Whether the last checkpoint is older than `checkpoint_seconds`."""
        return time.monotonic() - self._last_checkpoint >= self.checkpoint_seconds

    def save_checkpoint(
        self, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]
    ) -> None:
        """Write the checkpoint of a step: tensors, and plain JSON data; whole or not at all.

        Raises:
            StorageError: if the disk is full; the checkpoint before is then untouched.
        """
        metadata = {
            "purpose": "icrl checkpoint",
            "step": str(step),
            "state": json.dumps(dict(state)),
        }
        write_tensors(self.checkpoint_path, tensors, metadata)
        self._last_checkpoint = time.monotonic()

    def load_checkpoint(self) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
        """The last checkpoint (step, tensors, state); None if there is none.

        Raises:
            DamagedFileError: naming the file.
        """
        if not self.checkpoint_path.exists():
            return None
        try:
            tensors, metadata = read_tensors(
                self.checkpoint_path, required_metadata=("purpose", "step", "state")
            )
            step, state = int(metadata["step"]), json.loads(metadata["state"])
        except (DamagedFileError, ValueError) as error:
            raise DamagedFileError(
                f"the checkpoint {self.checkpoint_path} is damaged: {error} "
                "Delete it to train from the beginning."
            ) from error
        self._resumed_step = step
        return step, tensors, state
