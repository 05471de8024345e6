"""Run: what a learner is given for its work: budget, seed, progress, logging, checkpoints."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from icrl.files import read_tensors, write_tensors, write_text

Budget = Literal["smoke", "default", "full"]


@dataclass
class Run:
    """What a learner is given for its work.

    Scalars go to `DIR/progress.csv` and to TensorBoard event files in `DIR/tensorboard/`; the checkpoint is
    `DIR/checkpoint.safetensors`. A resumed run first drops the rows that were logged after its checkpoint.
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
    """At most so many training tasks; None: all that a finite split has, or the learner's own choice."""
    checkpoint_seconds: float = 30.0
    """How often `checkpoint_due` says yes, in seconds."""
    _rows: list[dict[str, float]] = field(default_factory=list, repr=False)
    _writer: Any = field(default=None, repr=False)
    _last_checkpoint: float = field(default=0.0, repr=False)

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        """A generator of its own for each purpose, derived from the seed."""
        digest = hashlib.sha256(f"{self.seed}/{purpose}".encode()).digest()
        return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "little"))

    @contextmanager
    def progress(
        self, total: int, description: str, *, done: int = 0, unit: str = "it"
    ) -> Iterator[Callable[..., None]]:
        """A progress bar with rate and time left: `advance(steps, loss=0.5)` moves it and shows figures."""
        raise NotImplementedError

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Log scalars of a step."""
        raise NotImplementedError

    def checkpoint_due(self) -> bool:
        """Whether the last checkpoint is older than `checkpoint_seconds`."""
        raise NotImplementedError

    def save_checkpoint(self, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Write the checkpoint of a step: tensors, and plain JSON data; whole or not at all."""
        raise NotImplementedError

    def load_checkpoint(self) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
        """The last checkpoint (step, tensors, state); None if there is none.

        Raises:
            DamagedFileError: naming the file.
        """
        raise NotImplementedError
