"""A pretended CUDA device for machines without one: finds mixed devices and hidden synchronisations.

Inside `fake_cuda` tensors have shapes, types and devices but no values, so that code runs as if on
a GPU in milliseconds and without memory. What it finds: an operation whose tensors lie on different
devices, and a value that is fetched from the device (``.item()``, ``float(tensor)``, ``.tolist()``).
What it cannot find: wrong numbers, missing kernels, anything of streams and pinned memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GUARD = Path(__file__).with_suffix(".cpp")
MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class MixedDevices(RuntimeError):
    """One operation got tensors on different devices."""


class Strict(TorchDispatchMode):
    """Refuse operations that mix devices; scalars (0-d tensors) and explicit copies may.

    FakeTensorMode alone lets some pass, for example a convolution with weights left on the CPU.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor) and leaf.dim() > 0]
        devices = sorted({tensor.device.type for tensor in tensors})
        if len(devices) > 1 and func not in MOVES:
            raise MixedDevices(f"{func} mixes devices {' and '.join(devices)}")
        return func(*args, **kwargs)


@contextlib.contextmanager
def fake_cuda(*, dynamic_shapes: bool = False) -> Iterator[None]:
    """Run the block with fake tensors, on which ``device="cuda"`` is allowed.

    Real tensors made before the block (weights) may be moved with ``.to("cuda")``. Skips the test
    with a reason where the guard cannot be built, where torch is a CUDA build (it has a guard of its
    own), or where a real CUDA device makes it pointless.

    Parameters
    ----------
    dynamic_shapes : bool
        Allow operations whose output size depends on values (nonzero, unique, bincount); fetched
        values then become symbols, so that hidden synchronisations are no longer found.
    """
    if torch.cuda.is_available():
        pytest.skip("a real CUDA device is here: test on it instead of a pretended one")
    if torch.version.cuda is not None:
        pytest.skip("this torch is a CUDA build, whose own device guard must not be replaced: use a CPU build")
    _load_guard()
    shapes = None
    if dynamic_shapes:
        shapes = ShapeEnv(allow_scalar_outputs=True, allow_dynamic_output_shape_ops=True)
    with FakeTensorMode(allow_non_fake_inputs=True, shape_env=shapes), torch.no_grad(), Strict():
        yield


@functools.cache
def _load_guard() -> None:
    """Build the guard once per torch version and load it into this process."""
    compiler = shutil.which("g++")
    if compiler is None or sys.platform != "linux":
        pytest.skip("the pretended CUDA device needs Linux and g++")
    key = hashlib.sha256(f"{torch.__version__} {sys.version}".encode() + GUARD.read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medfusion-tests"
    library = cache / f"fake_cuda_{key}.so"
    if not library.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        _compile(compiler, library)
    ctypes.CDLL(str(library))


def _compile(compiler: str, library: Path) -> None:
    root = Path(torch.__file__).parent
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        built = Path(folder) / library.name
        abi = int(torch.compiled_with_cxx11_abi())
        command = [compiler, "-std=c++20", "-O1", "-shared", "-fPIC", f"-D_GLIBCXX_USE_CXX11_ABI={abi}"]
        command += [f"-I{root / 'include'}", str(GUARD), f"-L{root / 'lib'}", "-lc10", "-o", str(built)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"The guard for the pretended CUDA device does not compile:\n{done.stderr[-2000:]}")
        # renaming is atomic: parallel test processes never load half a file
        built.replace(library)
