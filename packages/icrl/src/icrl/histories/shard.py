"""Shards: the safetensors files of a store, rectangles of streams and steps.

A shard is an ordinary safetensors file; `columns.py` says what its tensors mean. Its metadata name
the store that it belongs to, its number, and the SHA-256 of the whole file, computed with zeros in
the checksum's own place. A tensor `padding` of a few bytes aligns what follows the per-step
columns.
"""

import hashlib
import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from icrl.errors import DamagedFileError
from icrl.histories.claims import ClaimedFile
from icrl.histories.columns import Column, Layout, optional_from_json

FORMAT = "icrl.histories.shard"
VERSION = "1"
NO_CHECKSUM = "0" * 64
REMEDY = "Delete it and run the same `icrl collect` again, which records only what is missing."
DTYPES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.uint16: "U16",
    torch.int16: "I16",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.uint32: "U32",
    torch.int32: "I32",
    torch.float32: "F32",
    torch.uint64: "U64",
    torch.int64: "I64",
    torch.float64: "F64",
}
CODES = {code: dtype for dtype, code in DTYPES.items()}


@dataclass(frozen=True)
class Shard:
    """What a shard says of itself: its header, read and checked for form but not for content."""

    path: Path
    store: str
    """The key of the store that it belongs to."""
    number: int
    """Its place in the store."""
    streams: int
    steps: int
    streams_per_task: int
    ended: int
    """How many episodes ended within it."""
    checksum: str
    """SHA-256 of the whole file, computed with zeros in its own place."""
    optional: Mapping[str, Column]
    tensors: Mapping[str, tuple[torch.dtype, tuple[int, ...], int]]
    """Each tensor's dtype, shape and offset in the file."""
    num_bytes: int

    @property
    def num_tasks(self) -> int:
        """Tasks in the shard."""
        return self.streams // self.streams_per_task

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a shard's header.

        Raises:
            DamagedFileError: if the file is missing, truncated, or not a shard that icrl wrote.
        """
        try:
            header, data_start, size = _read_header(path)
            metadata = header.pop("__metadata__")
            if (metadata["format"], metadata["version"]) != (FORMAT, VERSION):
                raise ValueError(f"it is of format {metadata['format']} {metadata['version']}")
            tensors = {}
            end = data_start
            for name, entry in header.items():
                dtype, shape = CODES[entry["dtype"]], tuple(entry["shape"])
                first, last = (data_start + offset for offset in entry["data_offsets"])
                if first != end or last - first != math.prod(shape) * dtype.itemsize:
                    raise ValueError(f"its tensor {name} is not where it should be")
                tensors[name] = (dtype, shape, first)
                end = last
            if end != size:
                raise ValueError(f"it has {size} bytes where its header promises {end}")
            numbers = json.loads(metadata["numbers"])
            optional = json.loads(metadata["optional"])
            return cls(
                path=path,
                store=metadata["store"],
                checksum=metadata["checksum"],
                optional={name: optional_from_json(name, data) for name, data in optional.items()},
                tensors=tensors,
                num_bytes=size,
                **numbers,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DamagedFileError(
                f"{path} is not a whole shard of a history store: {reason}. {REMEDY}"
            ) from error

    def check_layout(self, layout: Layout) -> None:
        """Refuse a shard whose columns are not the store's.

        Raises:
            DamagedFileError: naming the file and the column.
        """
        expected = {
            c.name: (c.stored, (self.streams, self.steps, *c.shape)) for c in layout.per_step()
        }
        expected |= {c.name: (c.stored, (self.ended, *c.shape)) for c in layout.per_ended_episode()}
        for name, form in expected.items():
            found = self.tensors.get(name, (None, ()))[:2]
            if found != form:
                raise DamagedFileError(
                    f"{self.path} does not belong to this store: its {name} is {found}, not "
                    f"{form}. {REMEDY}"
                )

    def verify(self) -> None:
        """Read the whole file and compare its checksum.

        Raises:
            DamagedFileError: if a byte of it was altered.
        """
        try:
            with self.path.open("rb") as file:
                found = _checksum(file.fileno())
        except (OSError, ValueError, KeyError, struct.error) as error:
            reason = error.strerror if isinstance(error, OSError) else "its header was altered"
            raise DamagedFileError(f"cannot read {self.path}: {reason}. {REMEDY}") from error
        if found != self.checksum:
            raise DamagedFileError(
                f"{self.path} was altered: its checksum is no longer as it was written. {REMEDY}"
            )

    def map(self) -> dict[str, Tensor]:
        """The tensors by name, mapped into memory: nothing is read before it is used, nothing
        written back.
        """
        data = torch.from_numpy(np.memmap(self.path, np.uint8, mode="c"))
        return {
            name: data[start : start + math.prod(shape) * dtype.itemsize].view(dtype).view(shape)
            for name, (dtype, shape, start) in self.tensors.items()
        }


@dataclass(frozen=True)
class Place:
    """What a shard is written for: its store, its number in it, its rectangle and its tasks."""

    store: str
    """The key of the store."""
    number: int
    streams_per_task: int
    steps: int
    tasks: Mapping[str, Tensor]
    """What defines each task, [tasks, ...]."""

    @property
    def num_tasks(self) -> int:
        """Tasks in the shard."""
        return len(next(iter(self.tasks.values())))

    @property
    def streams(self) -> int:
        """Streams in the shard."""
        return self.num_tasks * self.streams_per_task


class ShardWriter:
    """Fills the file of one shard, block by block."""

    def __init__(self, file: ClaimedFile, layout: Layout, place: Place) -> None:
        self._file = file
        self._layout = layout
        self._place = place
        # The header stands first but is known last; its longest form reserves its room.
        self._header_bytes = len(self._header(ended=place.streams * place.steps))

    def write_block(self, column: Column, first_step: int, block: Tensor) -> None:
        """Write steps of a per-step column: `block` is [streams, steps, *shape], in memory, in the
        stored dtype.
        """
        start, _ = self._spans(0)[column.name]
        stride = self._place.steps * column.row_bytes
        rows = _bytes(block)
        if block.shape[1] == self._place.steps:
            self._file.write(rows, start)
            return
        start += first_step * column.row_bytes
        length = len(rows) // len(block)
        for stream in range(len(block)):
            self._file.write(rows[stream * length : (stream + 1) * length], start + stream * stride)

    def finish(self, outcome: Mapping[str, Tensor]) -> None:
        """Write the last observations of ended episodes ([ended, *shape] by column name), then
        commit the file.
        """
        ended = len(next(iter(outcome.values())))
        spans = self._spans(ended)
        for name, tensor in (*outcome.items(), *self._task_tensors().items()):
            self._file.write(_bytes(tensor), spans[name][0])
        padding = self._padding()
        if padding:
            self._file.write(bytes(padding), spans["padding"][0])
        header = self._header(ended).ljust(self._header_bytes)
        header = struct.pack("<Q", len(header) - 8) + header[8:]
        self._file.write(header, 0)
        checksum = _checksum(self._file.descriptor)
        self._file.write(header.replace(NO_CHECKSUM.encode(), checksum.encode()), 0)
        self._file.commit()

    def _task_tensors(self) -> dict[str, Tensor]:
        return {
            f"task/{name}": array.detach().cpu()
            for name, array in sorted(self._place.tasks.items())
        }

    def _padding(self) -> int:
        rows = self._place.streams * self._place.steps
        return -rows * sum(column.row_bytes for column in self._layout.per_step()) % 8

    def _tensors(self, ended: int) -> list[tuple[str, torch.dtype, tuple[int, ...]]]:
        """Name, dtype and shape of every tensor in the order of the file; each starts on a boundary
        of its own.
        """
        place = self._place
        tail = [(c, (ended, *c.shape)) for c in self._layout.per_ended_episode()]
        for name, array in self._task_tensors().items():
            column = Column(name, tuple(array.shape[1:]), array.dtype, array.dtype)
            tail.append((column, tuple(array.shape)))
        tail.sort(key=lambda entry: (-entry[0].alignment, entry[0].name))
        padding = self._padding()
        return [
            *(
                (c.name, c.stored, (place.streams, place.steps, *c.shape))
                for c in self._layout.per_step()
            ),
            *([("padding", torch.uint8, (padding,))] if padding else []),
            *((c.name, c.stored, shape) for c, shape in tail),
        ]

    def _spans(self, ended: int) -> dict[str, tuple[int, int]]:
        """Where each tensor begins and ends in the file."""
        spans, end = {}, self._header_bytes
        for name, dtype, shape in self._tensors(ended):
            start, end = end, end + math.prod(shape) * dtype.itemsize
            spans[name] = (start, end)
        return spans

    def _header(self, ended: int) -> bytes:
        """The safetensors header with its length in front, padded to a boundary of 8 bytes."""
        place = self._place
        numbers = {
            "number": place.number,
            "streams": place.streams,
            "steps": place.steps,
            "streams_per_task": place.streams_per_task,
            "ended": ended,
        }
        optional = {name: column.to_json() for name, column in self._layout.optional.items()}
        header: dict[str, Any] = {
            "__metadata__": {
                "format": FORMAT,
                "version": VERSION,
                "store": place.store,
                "numbers": json.dumps(numbers),
                "optional": json.dumps(optional),
                "checksum": NO_CHECKSUM,
            }
        }
        end = 0
        for name, dtype, shape in self._tensors(ended):
            start, end = end, end + math.prod(shape) * dtype.itemsize
            header[name] = {"dtype": DTYPES[dtype], "shape": shape, "data_offsets": [start, end]}
        data = json.dumps(header).encode()
        data = data.ljust(len(data) + -len(data) % 8)
        return struct.pack("<Q", len(data)) + data


def _bytes(tensor: Tensor) -> memoryview:
    """The bytes of a tensor in memory."""
    whole = tensor.contiguous()
    flat = whole.as_strided((whole.numel(),), (1,)).view(
        torch.uint8
    )  # one element may have any stride
    return flat.numpy().data if len(flat) else memoryview(b"")


def _read_header(path: Path) -> tuple[dict[str, Any], int, int]:
    """The header of a safetensors file, where its data start, and the file's size."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        (length,) = struct.unpack("<Q", file.read(8))
        if length > size - 8:
            raise ValueError(f"it has {size} bytes, fewer than its header alone")
        return json.loads(file.read(length)), 8 + length, size


def _checksum(descriptor: int) -> str:
    """SHA-256 of an open file, computed with zeros in the place of the checksum that its header
    holds.
    """
    head = os.pread(descriptor, 8, 0)
    (length,) = struct.unpack("<Q", head)
    header = os.pread(descriptor, length, 8)
    written = json.loads(header)["__metadata__"]["checksum"]
    digest = hashlib.sha256(head + header.replace(written.encode(), NO_CHECKSUM.encode()))
    position = 8 + length
    while chunk := os.pread(descriptor, 1 << 20, position):
        digest.update(chunk)
        position += len(chunk)
    return digest.hexdigest()
