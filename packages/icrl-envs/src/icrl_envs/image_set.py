"""ImageSet: labelled images, some of which may be held out, and how they are divided."""

from dataclasses import dataclass

import torch
from torch import Tensor

from icrl.errors import ConfigError
from icrl_envs.counts import check_counts


@dataclass(frozen=True)
class ImageSet:
    """Images of one size, what each shows, and which of them are held out."""

    images: Tensor
    """[images, height, width] uint8."""
    labels: Tensor
    """[images] int64, each a place in `names`."""
    names: tuple[str, ...]
    """What the labels are called."""
    brightest: int
    """The value of the brightest pixel there can be."""
    num_test: int | None
    """How many images, the last ones, are the data's own test; None: it has none."""


def divided(images: ImageSet, num_train_tasks: int | None, split_seed: int) -> dict[str, Tensor]:
    """The places of the images in each split; those of the test do not depend on how many train.

    Images without a test of their own hold out a fifth.

    Raises:
        ConfigError: if there are fewer training images than asked for.
    """
    generator, total = torch.Generator().manual_seed(split_seed), len(images.images)
    if images.num_test is None:
        order, held_out = torch.randperm(total, generator=generator), round(total / 5)
        test, train = order[:held_out], order[held_out:]
    else:
        test = torch.arange(total - images.num_test, total)
        train = torch.randperm(total - images.num_test, generator=generator)
    if num_train_tasks is not None:
        check_counts(1, num_train_tasks=num_train_tasks)
        if num_train_tasks > len(train):
            raise ConfigError(
                f"num_train_tasks={num_train_tasks}: there are {len(train)} training images."
            )
    return {"train": train[:num_train_tasks], "test": test}
