"""Devices by their names."""

import pytest
import torch

from icrl.devices import find_device
from icrl.errors import DeviceError

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@on_a_gpu
@pytest.mark.parametrize("name", ["auto", "cuda", "cuda:0"])
def test_a_gpu_is_named_as_the_tensors_on_it_name_it(name):
    assert find_device(name) == torch.zeros(3, device=find_device(name)).device


@on_a_gpu
def test_a_gpu_beyond_the_last_is_refused():
    with pytest.raises(DeviceError, match="the last one is cuda:"):
        find_device("cuda:1009")


def test_the_cpu_is_found():
    assert find_device("cpu") == torch.zeros(3).device


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:", "cuda:one", ""])
def test_what_is_no_device_is_refused(name):
    with pytest.raises(DeviceError, match="Give auto, cpu, cuda, or cuda:N"):
        find_device(name)
