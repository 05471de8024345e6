"""Spaces as tensors: the layout, its inverse, and the JSON form."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings

from icrl import spaces as tensor_spaces
from icrl.errors import SpaceError

INTEGERS = st.sampled_from([np.int64, np.int32, np.int8])
LEAVES = st.one_of(
    st.builds(
        lambda n, start, dtype: spaces.Discrete(n, start=start, dtype=dtype),
        st.integers(1, 7),
        st.integers(-3, 5),
        INTEGERS,
    ),
    st.builds(spaces.MultiDiscrete, st.lists(st.integers(1, 5), min_size=1, max_size=3), INTEGERS),
    st.integers(1, 5).map(spaces.MultiBinary),
    st.sampled_from([np.float32, np.uint8, np.int64]).map(
        lambda dtype: spaces.Box(0, 11, (2, 3), dtype)
    ),
    st.just(spaces.Box(-np.inf, np.inf, (3,), np.float32)),
    st.just(spaces.Text(7, min_length=0, charset="abc de")),
)
SPACES = st.recursive(
    LEAVES,
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=3).map(spaces.Tuple),
        st.dictionaries(st.sampled_from("xyz"), children, min_size=1, max_size=3).map(spaces.Dict),
    ),
    max_leaves=5,
)


@given(space=SPACES, seed=st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=60)
def test_a_value_survives_the_way_to_tensors_and_back(space, seed):
    space.seed(seed)
    values = [space.sample() for _ in range(3)]
    back = tensor_spaces.unstack(space, tensor_spaces.stack(space, values))
    for value, returned in zip(values, back, strict=True):
        assert returned in space
        assert np.array_equal(
            spaces.flatten(space, value), spaces.flatten(space, returned), equal_nan=True
        )


@given(space=SPACES)
@settings(deadline=None, max_examples=60)
def test_a_space_survives_the_way_to_json_and_back(space):
    data = json.loads(json.dumps(tensor_spaces.space_to_json(space), allow_nan=False))
    assert tensor_spaces.space_from_json(data) == space


def test_a_space_of_integers_keeps_its_dtype_on_the_way_to_json_and_back():
    for space in (spaces.Discrete(5, dtype=np.int32), spaces.MultiDiscrete([3, 2], np.uint8)):
        back = tensor_spaces.space_from_json(tensor_spaces.space_to_json(space))
        assert back == space and back.dtype == space.dtype


def test_a_box_with_unequal_infinite_bounds_survives_json():
    space = spaces.Box(
        np.array([-np.inf, -1.0], np.float32), np.array([2.0, np.inf], np.float32), dtype=np.float32
    )
    data = json.loads(json.dumps(tensor_spaces.space_to_json(space), allow_nan=False))
    assert tensor_spaces.space_from_json(data) == space


def test_double_precision_boxes_become_single_precision_tensors():
    space = spaces.Box(-1, 1, (3,), np.float64)
    assert tensor_spaces.stack(space, [space.sample()]).dtype == torch.float32


def test_text_is_padded_with_zeros_behind_its_character_codes():
    space = spaces.Text(5, charset="abc")
    code = {character: i + 1 for i, character in enumerate(space.character_list)}
    assert tensor_spaces.to_arrays(space, "cab").tolist() == [code["c"], code["a"], code["b"], 0, 0]


def test_zeros_have_the_layout_of_values():
    space = spaces.Dict({"move": spaces.Discrete(5), "force": spaces.Box(-1, 1, (3,), np.float32)})
    zeros = tensor_spaces.zeros(space, (2, 7))
    assert zeros["move"].shape == (2, 7) and zeros["move"].dtype == torch.int64
    assert zeros["force"].shape == (2, 7, 3) and zeros["force"].dtype == torch.float32


def test_a_space_without_a_fixed_size_is_refused_by_name():
    with pytest.raises(SpaceError, match=r"Sequence.*has no tensor form"):
        tensor_spaces.leaf_spaces(spaces.Dict({"rows": spaces.Sequence(spaces.Discrete(3))}))


def test_a_json_form_that_icrl_does_not_write_is_refused():
    with pytest.raises(SpaceError, match="Graph"):
        tensor_spaces.space_from_json({"type": "Graph"})
