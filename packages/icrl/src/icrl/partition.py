"""Partition: how a family with finitely many tasks divides them into train and test."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from icrl.errors import ConfigError


class Partition:
    """The tasks `0` to `total - 1`, shuffled by `split_seed`: the first ones are held out, the next
    ones train.

    The held-out tasks depend on nothing but `total`, `num_test_tasks` and `split_seed`.
    """

    def __init__(
        self,
        total: int,
        *,
        num_train_tasks: int | None,
        num_test_tasks: int | None,
        split_seed: int,
    ) -> None:
        """Divide; `num_test_tasks=None` holds out a fifth, `num_train_tasks=None` trains on all
        others.

        Raises:
            ConfigError: if a split would be empty, if both together need more tasks than there are,
            and for what is no whole number.
        """
        held_out = round(total / 5) if num_test_tasks is None else num_test_tasks
        train = total - held_out if num_train_tasks is None else num_train_tasks
        for name, count in (("num_train_tasks", train), ("num_test_tasks", held_out)):
            if not isinstance(count, int):
                raise ConfigError(f"{name}={count!r}: expected a whole number.")
        if train < 1 or held_out < 1 or train + held_out > total:
            asked = "all others" if num_train_tasks is None else num_train_tasks
            raise ConfigError(
                f"{total} tasks cannot be divided into num_train_tasks={asked} and "
                f"num_test_tasks={held_out}: each needs at least 1, both together at most {total}."
            )
        if not isinstance(split_seed, int) or split_seed < 0:
            raise ConfigError(f"split_seed={split_seed}: expected a whole number, 0 or more.")
        order = torch.randperm(total, generator=torch.Generator().manual_seed(split_seed))
        self._members: Mapping[str, Tensor] = {
            "train": order[held_out : held_out + train],
            "test": order[:held_out],
        }

    @property
    def num_tasks(self) -> dict[str, Any]:
        """How many tasks each split has: a family's `num_tasks`."""
        return {split: len(members) for split, members in self._members.items()}

    def draw(self, num_tasks: int, *, split: str, seed: int) -> Tensor:
        """Distinct tasks of a split in an order that `seed` fixes, [num_tasks] int64."""
        members = self._members[split]
        order = torch.randperm(len(members), generator=torch.Generator().manual_seed(seed))
        return members[order[:num_tasks]]
