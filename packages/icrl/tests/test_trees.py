"""Trees of tensors."""

import torch

from icrl.trees import leaves, map_tree, where

TREE = {"image": torch.zeros(3, 5), "pose": (torch.ones(3), torch.full((3, 2), 7.0))}


def test_leaves_come_with_their_paths_depth_first():
    assert [path for path, _ in leaves(TREE)] == ["image", "pose/0", "pose/1"]


def test_a_bare_tensor_has_the_empty_path():
    assert [path for path, _ in leaves(torch.zeros(3))] == [""]


def test_map_tree_pairs_corresponding_leaves():
    doubled = map_tree(torch.add, TREE, TREE)
    assert torch.equal(doubled["pose"][1], torch.full((3, 2), 14.0))


def test_where_chooses_whole_rows_in_every_leaf():
    mask = torch.tensor([True, False, True])
    chosen = where(mask, TREE, map_tree(lambda t: t - 1, TREE))
    assert chosen["image"][:, 0].tolist() == [0, -1, 0]
    assert chosen["pose"][0].tolist() == [1, 0, 1]
