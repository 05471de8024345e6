"""Fitting: training a model on all transitions so far."""

from collections.abc import Callable, Iterator
from math import ceil, isfinite

import torch
from torch import Tensor

from icrl.errors import ConfigError
from icrl_cadm.config import CaDMConfig
from icrl_cadm.encoders import Encoded, Perceptron
from icrl_cadm.model import DynamicsModel, Rows
from icrl_cadm.transitions import Transitions

FIRST_DECAYS, MIDDLE_DECAY, LAST_DECAY = (2.5e-5, 5e-5), 7.5e-5, 1e-4
PERSISTENCE = 0.99
"""How much of the rolling mean of validation losses an epoch keeps."""
MOST_VALIDATED = 5000
"""Rows that a validation loss is the mean of, at most."""
TINY = 1e-30
"""What is smaller is taken for nothing: see `drop_tiny`."""

Report = Callable[[int, float], None]


def optimizer_of(model: DynamicsModel) -> torch.optim.Adam:
    """Adam with the original's weight decays: an L2 loss, layer by layer."""
    scale, groups = model.config.weight_decay, []
    decayed: set[int] = set()
    for perceptron, decays in _decays(model):
        for layer, decay in zip(perceptron.layers, decays, strict=True):
            groups.append({"params": [layer.weight], "weight_decay": scale * decay})
            decayed.add(id(layer.weight))
    rest = [p for p in model.parameters() if id(p) not in decayed]
    return torch.optim.Adam(
        [*groups, {"params": rest, "weight_decay": 0.0}], lr=model.config.learning_rate, fused=True
    )


def _decays(model: DynamicsModel) -> Iterator[tuple[Perceptron, list[float]]]:
    networks = model.networks
    for network in (networks.forwards, networks.backwards, networks.outcomes):
        if network is not None:
            yield network, layer_decays(len(network.layers))
    if isinstance(networks.encoder, Encoded):
        encoder = networks.encoder.perceptron
        # The original decays its last layer too, by 7.5e-5.
        yield encoder, [*layer_decays(len(encoder.layers) + 1)[:-2], 0.0]


def layer_decays(layers: int) -> list[float]:
    """Of each layer's weights: 2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4 for the paper's five."""
    return [*FIRST_DECAYS, *[MIDDLE_DECAY] * (layers - 3), LAST_DECAY][-layers:]


def fit(
    model: DynamicsModel,
    optimizer: torch.optim.Optimizer,
    transitions: Transitions,
    generator: torch.Generator,
    report: Report | None = None,
) -> dict[str, float]:
    """Train for some epochs over every context with each transition that it has to predict.

    Members of an ensemble have bootstraps of their own of the rows. Training stops early where the
    rolling mean of validation losses rises (which it seldom does within five epochs).

    Args:
        model: trained in place; its normalisation is taken anew from all transitions.
        optimizer: of the model.
        transitions: all so far.
        generator: draws order and bootstraps, on the model's device.
        report: told after each epoch which it was, and its loss.

    Returns:
        The last epoch's losses, `validation` among them where something is held out, and how many
        `epochs` there were.

    Raises:
        ConfigError: for losses that are not finite any more.
    """
    config = model.config
    assert config.future is not None  # `adapted` has filled it
    model.measure(transitions)
    pairs = transitions.pairs(config.future, held_out=False)
    drawn = bootstraps(len(pairs[0]), config.members, generator)
    watched = validation_pairs(transitions, config.future, generator)
    rolling: float | None = None
    losses: dict[str, float] = {}
    for epoch in range(1, config.epochs + 1):
        losses = _epoch(model, optimizer, transitions, pairs, drawn, generator) | {"epochs": epoch}
        drop_tiny(optimizer)
        if not all(map(isfinite, losses.values())):
            raise ConfigError(
                f"the model diverged: its losses are {losses}, with learning_rate "
                f"{config.learning_rate}. Give a smaller one; what a checkpoint holds is sound."
            )
        if report is not None:
            report(epoch, losses["forward"])
        if watched is None:
            continue
        found = validation_loss(model, transitions, watched)
        losses["validation"] = found
        if rolling is None:
            # The first epochs may get worse before they get better; so does the original begin.
            rolling = 1.5 * found if found > 0 else found / 1.5
        before, rolling = rolling, PERSISTENCE * rolling + (1 - PERSISTENCE) * found
        if rolling > before:
            break
    return losses


@torch.no_grad()
def drop_tiny(optimizer: torch.optim.Optimizer) -> None:
    """Make weights and moments zero that are as good as zero.

    Units of the encoder that no history excites any more are left to the weight decay, until their
    weights are so small (below 1e-38) that a CPU computes with them many times slower: an update
    then took more than twice as long.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    moments = [
        moment for state in optimizer.state.values() for moment in state.values() if moment.ndim
    ]
    for tensor in (*weights, *moments):
        tensor.masked_fill_(tensor.abs() < TINY, 0)


def bootstraps(rows: int, members: int, generator: torch.Generator) -> Tensor:
    """Which rows each member learns from, [members, rows]: drawn with replacement, or all of them
    for one member.
    """
    if members == 1:
        return torch.arange(rows, device=generator.device)[None]
    return torch.randint(rows, (members, rows), generator=generator, device=generator.device)


def validation_pairs(
    transitions: Transitions, future: int, generator: torch.Generator
) -> tuple[Tensor, Tensor] | None:
    """Some rows of the transitions held out; None if there are none."""
    context, ahead = transitions.pairs(future, held_out=True)
    if not len(context):
        return None
    order = torch.randperm(len(context), generator=generator, device=generator.device)
    chosen = order[:MOST_VALIDATED]
    return context[chosen], ahead[chosen]


@torch.no_grad()
def validation_loss(
    model: DynamicsModel, transitions: Transitions, pairs: tuple[Tensor, Tensor]
) -> float:
    """The mean loss of all members on the same rows."""
    context, ahead = (index.expand(model.members, -1) for index in pairs)
    _, parts = model.loss(rows_of(model, transitions, context, ahead))
    return float(sum(part.mean() for part in parts.values()))


def rows_of(model: DynamicsModel, transitions: Transitions, context: Tensor, ahead: Tensor) -> Rows:
    """Transitions `ahead` [members, rows], each under the history before `context` [members,
    rows].
    """
    assert model.config.past is not None  # `adapted` has filled it
    return Rows(
        transitions.history(context, model.config.past),
        transitions.state[ahead],
        transitions.control[ahead],
        transitions.following[ahead],
        transitions.reward[ahead],
        transitions.terminated[ahead],
    )


def rows_of_an_epoch(config: CaDMConfig, rows: int) -> int:
    """How many of the rows an epoch goes through: all, but for a model that gradient descent
    adapts. There each row costs as much as its whole history, and is drawn so often that every
    context comes once, with one of those that it has to predict.
    """
    assert config.future is not None  # `adapted` has filled it
    return ceil(rows / config.future) if config.context == "gradient" else rows


def _epoch(
    model: DynamicsModel,
    optimizer: torch.optim.Optimizer,
    transitions: Transitions,
    pairs: tuple[Tensor, Tensor],
    drawn: Tensor,
    generator: torch.Generator,
) -> dict[str, float]:
    """One pass over the rows; the mean loss of each part, and of all members."""
    context, ahead = pairs
    order = torch.randperm(drawn.shape[1], generator=generator, device=generator.device)
    order = order[: rows_of_an_epoch(model.config, len(order))]
    sums: dict[str, Tensor] = {}
    batches = order.split(model.config.batch_size)
    for batch in batches:
        chosen = drawn[:, batch]
        loss, parts = model.loss(rows_of(model, transitions, context[chosen], ahead[chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for name, part in parts.items():
            sums[name] = sums.get(name, torch.zeros_like(part)) + part
    return {name: float(total.mean()) / len(batches) for name, total in sums.items()}
