"""Files written whole or not at all, and read with a check; nothing is pickled."""

import errno
import json
import os
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from icrl.errors import DamagedFileError, StorageError

if TYPE_CHECKING:  # `icrl.files` also serves the command line's light half, which imports no torch
    import numpy as np
    from torch import Tensor


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to the disk, then rename it.

    Raises:
        StorageError: if the disk is full or the folder cannot be written; `path` is then what it
            was before.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".partial", dir=path.parent
        )
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        sync_directory(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def storage_error(path: Path, error: OSError) -> StorageError:
    """What to tell the user when `path` could not be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "the disk is full" if full else (error.strerror or error)
    return StorageError(
        f"cannot write {path}: {what}. What was whole before is untouched; "
        "make room or choose another --out, then run the same command again."
    )


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes, whole or not at all."""
    write_atomically(path, lambda file: file.write(data))


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, data: Any) -> None:
    """Write JSON, indented, whole or not at all."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        DamagedFileError: if the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedFileError(f"cannot read {path}: {_reason(error)}.") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read TOML.

    Raises:
        DamagedFileError: if the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedFileError(f"cannot read {path}: {_reason(error)}.") from error


def write_tensors(path: Path, tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str]) -> None:
    """Write tensors as one safetensors file, whole or not at all."""
    from safetensors.torch import save

    on_host = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, _with_sorted_metadata(save(on_host, dict(metadata))))


def _with_sorted_metadata(data: bytes) -> bytes:
    """A safetensors file with its metadata in order: the library's changes with the process."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # as the format has it: the data begin on a boundary of 8
    return len(text).to_bytes(8, "little") + text + data[end:]


def read_tensors(
    path: Path, *, required_metadata: Sequence[str] = ()
) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """Read a safetensors file: its tensors (on the CPU) and its metadata.

    Raises:
        DamagedFileError: if the file is missing, damaged, truncated, or lacks metadata that ours
            has.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise DamagedFileError(f"cannot read {path}: {_reason(error)}.") from error
    missing = [name for name in required_metadata if name not in metadata]
    if missing:
        raise DamagedFileError(
            f"{path} was not written by icrl for this purpose: it has no {', '.join(missing)}."
        )
    return tensors, metadata


def write_array(path: Path, array: "np.ndarray") -> None:
    """Write a NumPy array as `.npy`, whole or not at all."""
    import numpy as np

    write_atomically(path, lambda file: np.save(file, array, allow_pickle=False))


def read_array(path: Path) -> "np.ndarray":
    """Read a `.npy` file without executing anything.

    Raises:
        DamagedFileError: if the file is missing, damaged, or would need unpickling.
    """
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DamagedFileError(f"cannot read {path}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_directory(directory: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
