"""The pretended CUDA device finds what it is there for, and nothing else."""

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException

from fake_cuda import MixedDevices, fake_cuda


def test_a_clean_computation_passes_and_stays_on_the_device():
    with fake_cuda():
        image = torch.zeros(2, 1, 64, 64, device="cuda")
        spectrum = torch.fft.rfft2(image)
        out = torch.fft.irfft2(spectrum * 0.5, s=(64, 64)) + image.mean()
        assert out.device.type == "cuda"
        assert out.shape == (2, 1, 64, 64)


def test_a_module_built_outside_can_be_moved():
    network = torch.nn.Conv2d(1, 4, 3)
    with fake_cuda():
        out = network.to("cuda")(torch.zeros(1, 1, 32, 32, device="cuda"))
        assert out.device.type == "cuda"


def test_tensors_on_two_devices_are_caught():
    with fake_cuda(), pytest.raises(RuntimeError, match="cuda"):
        torch.zeros(4, device="cuda") + torch.zeros(4)


def test_convolution_weights_left_on_the_cpu_are_caught():
    with fake_cuda(), pytest.raises(MixedDevices, match="mixes devices cpu and cuda"):
        torch.nn.functional.conv2d(torch.zeros(1, 1, 8, 8, device="cuda"), torch.zeros(1, 1, 3, 3))


@pytest.mark.parametrize("fetch", [lambda t: t.item(), float, lambda t: bool(t > 0)])
def test_a_hidden_synchronisation_is_caught(fetch):
    with fake_cuda(), pytest.raises(DataDependentOutputException):
        fetch(torch.zeros((), device="cuda"))


def test_a_cpu_scalar_may_meet_a_cuda_tensor():
    with fake_cuda():
        assert (torch.zeros(4, device="cuda") * torch.tensor(2.0)).device.type == "cuda"


def test_a_histogram_runs_when_dynamic_shapes_are_allowed():
    with fake_cuda(dynamic_shapes=True):
        levels = torch.zeros(100, dtype=torch.int32, device="cuda")
        assert torch.bincount(levels, minlength=256).device.type == "cuda"


def test_a_volume_larger_than_memory_takes_none():
    with fake_cuda():
        huge = torch.zeros(4000, 4000, 4000, device="cuda")
        assert (huge + 1).numel() == 64_000_000_000
