"""Members that are told the labels: four perceptrons, each on a bootstrap of the images."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

MEMBERS, HIDDEN, BATCH, RATE = 4, 256, 128, 1e-3


@dataclass(frozen=True)
class Labelled:
    """Images [images, pixels] from 0 to 1, and their labels [images]."""

    image: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, index: Tensor) -> "Labelled":
        return Labelled(self.image[index], self.label[index])


class Members:
    """Perceptrons of 256 hidden units, each with weights of its own, evaluated together."""

    def __init__(self, pixels: int, labels: int, generator: torch.Generator) -> None:
        self.weights: list[Tensor] = []
        for size, width in ((pixels, HIDDEN), (HIDDEN, labels)):
            bound = 1 / math.sqrt(size)  # as torch's Linear begins
            for shape in ((MEMBERS, size, width), (MEMBERS, 1, width)):
                uniform = torch.rand(shape, generator=generator)
                self.weights.append(((2 * uniform - 1) * bound).requires_grad_())

    @classmethod
    def of(cls, weights: list[Tensor]) -> "Members":
        """Members with weights that others were trained to."""
        members = cls.__new__(cls)
        members.weights = weights
        return members

    def logits(self, image: Tensor) -> Tensor:
        """Of images of each member, [members, batch, pixels] -> [members, batch, labels]."""
        first, first_bias, second, second_bias = self.weights
        hidden = torch.relu(torch.baddbmm(first_bias, image, first))
        return torch.baddbmm(second_bias, hidden, second)

    @torch.no_grad()
    def log_probs(self, image: Tensor) -> Tensor:
        """Of images that all members see, [images, pixels] -> [members, images, labels]."""
        return self.logits(image.expand(MEMBERS, -1, -1)).log_softmax(-1)


def trained(images: Labelled, labels: int, epochs: int, *, seed: int) -> Members:
    """Members after so many epochs; the seed draws bootstraps, weights and minibatches."""
    generator = torch.Generator().manual_seed(seed)
    members = Members(images.image.shape[1], labels, generator)
    for _ in _epochs(members, images, epochs, generator):
        pass
    return members


def chosen_epochs(images: Labelled, held_out: Labelled, labels: int, most: int) -> dict[str, float]:
    """After how many epochs the mean cross entropy of held-out images is least."""
    generator = torch.Generator().manual_seed(0)
    members = Members(images.image.shape[1], labels, generator)
    losses = []
    for _ in _epochs(members, images, most, generator):
        log_probs = members.log_probs(held_out.image)
        index = held_out.label[None, :, None].expand(MEMBERS, -1, 1)
        losses.append(-float(log_probs.gather(-1, index).mean()))
    best = min(range(most), key=losses.__getitem__)
    return {"epochs": best + 1, "of_at_most": most, "cross_entropy": round(losses[best], 4)}


def _epochs(
    members: Members, images: Labelled, epochs: int, generator: torch.Generator
) -> Iterator[None]:
    """Adam on minibatches; an epoch goes once through each member's bootstrap."""
    count = len(images)
    bootstrap = torch.randint(count, (MEMBERS, count), generator=generator)
    optimizer = torch.optim.Adam(members.weights, lr=RATE)
    for _ in range(epochs):
        order = torch.rand(MEMBERS, count, generator=generator).argsort(1)
        for rows in bootstrap.gather(1, order).split(BATCH, dim=1):
            batch = images[rows]
            logits = members.logits(batch.image).flatten(0, 1)
            loss = torch.nn.functional.cross_entropy(logits, batch.label.flatten())
            optimizer.zero_grad()
            (MEMBERS * loss).backward()  # each member's gradient is that of its own mean
            optimizer.step()
        yield
