"""The recurrent encoder: against torch's own recurrent unit, one member and one row at a time."""

import torch
from torch import Tensor, nn

from icrl.nn import initial_weights
from icrl.testing.accelerator import ACCELERATOR, pretended_accelerator
from icrl_cadm.encoders import Recurrent

MEMBERS, ROWS, PAST, STATES, CONTROLS, SIZE = 2, 5, 3, 7, 11, 13
FILLED = torch.tensor([[3, 3, 2, 1, 0], [0, 3, 1, 3, 2]])


def example(numbers: int) -> Tensor:
    generator = torch.Generator().manual_seed(numbers)
    return torch.randn(MEMBERS, ROWS, PAST, numbers, generator=generator)


def encoder(device: torch.device | str = "cpu") -> Recurrent:
    with initial_weights(torch.Generator().manual_seed(1)):
        made = Recurrent(MEMBERS, STATES, CONTROLS, SIZE)
    with torch.no_grad():
        for place, layer in enumerate((made.seen, made.kept)):
            layer.bias.add_(torch.arange(3 * SIZE) / 30 - place)
    return made.to(device)


def torchs_own(made: Recurrent, member: int) -> nn.GRU:
    unit = nn.GRU(STATES + CONTROLS, SIZE)
    with torch.no_grad():
        for layer, name in ((made.seen, "ih"), (made.kept, "hh")):
            getattr(unit, f"weight_{name}_l0").copy_(layer.weight[member].T)
            getattr(unit, f"bias_{name}_l0").copy_(layer.bias[member, 0])
    return unit


@torch.no_grad()
def test_each_member_is_a_gated_recurrent_unit_over_what_passed():
    made, differences, controls = encoder(), example(STATES), example(CONTROLS)
    found = made(differences, controls, FILLED)
    slots = torch.cat((differences, controls), -1)
    for member in range(MEMBERS):
        unit = torchs_own(made, member)
        for row in range(ROWS):
            filled = int(FILLED[member, row])
            expected = torch.zeros(SIZE)
            if filled:
                expected = unit(slots[member, row, :filled, None])[1][0, 0]
            torch.testing.assert_close(found[member, row], expected)


@torch.no_grad()
def test_what_stands_in_empty_slots_does_not_matter():
    made, differences, controls = encoder(), example(STATES), example(CONTROLS)
    empty = (torch.arange(PAST) >= FILLED[..., None])[..., None]
    found = made(differences.masked_fill(empty, 9), controls.masked_fill(empty, 9), FILLED)
    torch.testing.assert_close(found, made(differences, controls, FILLED))


@torch.no_grad()
def test_the_order_of_what_passed_matters():
    made, differences, controls = encoder(), example(STATES), example(CONTROLS)
    found = made(differences, controls, FILLED)
    turned = made(differences.flip(2), controls.flip(2), FILLED)
    assert (found - turned)[FILLED == PAST].abs().max() > 0.01


def test_nothing_is_read_back_from_the_device():
    made = encoder(ACCELERATOR)
    with pretended_accelerator() as device, torch.no_grad():
        differences, controls = (
            torch.zeros(MEMBERS, ROWS, PAST, numbers, device=device)
            for numbers in (STATES, CONTROLS)
        )
        filled = torch.zeros(MEMBERS, ROWS, dtype=torch.int64, device=device)
        assert made(differences, controls, filled).shape == (MEMBERS, ROWS, SIZE)
