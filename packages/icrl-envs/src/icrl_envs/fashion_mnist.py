"""Fashion-MNIST: pieces of clothing, read from the four IDX files of its authors."""

import os
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from icrl.errors import ConfigError, DamagedFileError
from icrl_envs.idx_files import read_idx
from icrl_envs.image_set import ImageSet

FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package `dataset-fashion-mnist` puts it."""
VARIABLE = "ICRL_FASHION_MNIST"
"""The environment variable that says where else it lies."""
LABELS = (
    "t-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
HOW_TO_GET_IT = (
    "Install Debian's package dataset-fashion-mnist, or fetch the four files of "
    "https://github.com/zalandoresearch/fashion-mnist and name their folder by path=... or by "
    f"the environment variable {VARIABLE}."
)


def fashion_mnist(path: str | None) -> ImageSet:
    """70,000 pieces of clothing of 28 x 28 pixels, of which the last 10,000 are the test.

    Xiao, Rasul and Vollgraf 2017, "Fashion-MNIST", arXiv:1708.07747, licence MIT. A test image that
    occurs among the training images would be left out; in the files of the authors none does.

    Args:
        path: the folder of the four IDX files; None: the one that the environment variable
            `ICRL_FASHION_MNIST` names, else Debian's.

    Raises:
        ConfigError: if a file is missing, with where we looked and how to get it.
        DamagedFileError: naming the file that is damaged.
    """
    variable = os.environ.get(VARIABLE)
    if path is not None:
        folder, why = Path(path).expanduser(), "as path says"
    elif variable:
        folder, why = Path(variable).expanduser(), f"as {VARIABLE} says"
    else:
        folder, why = FOLDER, f"neither path nor {VARIABLE} names another folder"
    found = {name: _found(folder / name) for name in _names()}
    missing = [name for name, file in found.items() if file is None]
    if missing:
        raise ConfigError(
            f"Fashion-MNIST is not there: we looked in {folder} ({why}), which lacks "
            f"{', '.join(missing)} (with .gz or without). {HOW_TO_GET_IT}"
        )
    files = [file for file in found.values() if file is not None]
    return _read(*((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))


def _names() -> list[str]:
    return [
        f"{part}-{kind}-ubyte"
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    ]


def _found(plain: Path) -> Path | None:
    """The file, plain or compressed."""
    compressed = plain.with_name(f"{plain.name}.gz")
    return next((file for file in (plain, compressed) if file.is_file()), None)


@lru_cache(maxsize=2)
def _read(*files: tuple[Path, int, int]) -> ImageSet:
    """What the four files hold, read once for as long as none of them changes."""
    train_images, train_labels = _part(files[0][0], files[1][0])
    test_images, test_labels = _part(files[2][0], files[3][0])
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DamagedFileError(
            f"{files[0][0]} has images of {tuple(train_images.shape[1:])} pixels, {files[2][0]} "
            f"of {tuple(test_images.shape[1:])}: they do not belong together. {HOW_TO_GET_IT}"
        )
    trained = {image.tobytes() for image in train_images.numpy()}
    unseen = torch.tensor([image.tobytes() not in trained for image in test_images.numpy()])
    if not unseen.any():
        raise DamagedFileError(
            f"every image of {files[2][0]} is in {files[0][0]} too: nothing is left to test on. "
            f"{HOW_TO_GET_IT}"
        )
    return ImageSet(
        torch.cat((train_images, test_images[unseen])),
        torch.cat((train_labels, test_labels[unseen])),
        LABELS,
        255,
        int(unseen.sum()),
    )


def _part(images_file: Path, labels_file: Path) -> tuple[Tensor, Tensor]:
    """Images and labels of one part, which must fit each other."""
    images, labels = read_idx(images_file, axes=3), read_idx(labels_file, axes=1)
    if len(images) != len(labels):
        raise DamagedFileError(
            f"{images_file} has {len(images)} images, {labels_file} {len(labels)} labels: they do "
            f"not belong together. {HOW_TO_GET_IT}"
        )
    if int(labels.max()) >= len(LABELS):
        raise DamagedFileError(
            f"{labels_file} has the label {int(labels.max())}, expected at most "
            f"{len(LABELS) - 1}. {HOW_TO_GET_IT}"
        )
    return images, labels.long()
