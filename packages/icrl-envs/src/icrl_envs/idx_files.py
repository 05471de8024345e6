"""IDX files: the format of MNIST and its successors, plain or compressed.

LeCun, Cortes and Burges, "The MNIST database of handwritten digits": two zero bytes, a code for the
type, the number of axes, the length of each axis (four bytes, the highest first), then the values.
"""

import gzip
import math
import zlib
from pathlib import Path

import torch
from torch import Tensor

from icrl.errors import DamagedFileError

BYTES = 8
"""The code for values of one byte, the only ones that pictures and labels have."""


def read_idx(path: Path, *, axes: int) -> Tensor:
    """The bytes in a file, `axes` axes of uint8; compressed if its name ends in `.gz`.

    Raises:
        DamagedFileError: naming the file.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedFileError(f"cannot read {path}: {error}. Fetch it again.") from error
    expected = bytes((0, 0, BYTES, axes))
    if content[:4] != expected:
        raise DamagedFileError(
            f"{path} is no IDX file of bytes with {axes} axes: it begins with "
            f"{content[:4].hex() or 'nothing'}, expected {expected.hex()}. Fetch it again."
        )
    start = 4 + 4 * axes
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if len(content) != start + math.prod(shape) or not math.prod(shape):
        raise DamagedFileError(
            f"{path} says that it holds {' x '.join(map(str, shape))} bytes, and "
            f"{max(len(content) - start, 0)} follow. Fetch it again."
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).reshape(shape)
