"""A folder with a user's own segmentation model: one metadata file and one file of weights, no code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MedFusionLib.errors import NotSupported, UnreadableFile, UsageError
from MedFusionLib.networks.sliding import OVERLAP
from MedFusionLib.segmentation import segment_types

MOST_WEIGHT_BYTES = 1 << 30
MOST_METADATA_BYTES = 1 << 20
MOST_CLASSES = 255
LONGEST_WINDOW = 512
_REFUSED = (".pt", ".pth", ".ts", ".ckpt", ".pkl", ".bin")
_WEIGHTS = ("model.onnx", "models/model.onnx", "model.safetensors", "models/model.safetensors")
_METADATA = ("metadata.json", "configs/metadata.json")
_AXES = {"RAS": (0, 1, 2), "SAR": (2, 1, 0)}

Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Channel:
    """One input of a model.

    Parameters
    ----------
    name : str
        Modality (CT, MR, PT, NM) or the name of a source.
    low, high : float or None
        Values that become 0 and 1, clipped; None puts the source in units of its standard deviation
        around its mean.
    """

    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ModelCard:
    """What ``metadata.json`` says.

    Parameters
    ----------
    name, version : str
        For the record.
    channels : tuple of Channel
        Inputs, in order.
    classes : tuple of str
        Names of the outputs, background first where `exclusive`.
    types : dict of int to str
        Types of segments by output, see `segmentation.segment_types`.
    exclusive : bool
        Softmax over the outputs; otherwise each output by itself (sigmoid), the highest one counts.
    window : tuple of int
        Samples that the network takes, along `axes`.
    spacing_mm : tuple of float
        Of the grid that it was trained on, along R, A, S.
    axes : {"RAS", "SAR"}
        Order of the spatial axes of its input.
    overlap : float
        Of neighbouring windows.
    network : dict or None
        For safetensors: name, width (and nothing else) of one of our networks.
    sha256 : str or None
        Of the weights, checked when given.
    """

    name: str
    version: str
    channels: tuple[Channel, ...]
    classes: tuple[str, ...]
    types: dict[int, str]
    exclusive: bool
    window: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    axes: str
    overlap: float
    network: dict | None
    sha256: str | None

    @property
    def order(self) -> tuple[int, int, int]:
        """The network's spatial axes as numbers of R, A, S."""
        return _AXES[self.axes]


def read_card(folder: str | Path) -> ModelCard:
    """Metadata of the model in a folder.

    Raises
    ------
    UnreadableFile
        When it is missing, too large, or does not say what is needed.
    NotSupported
        For what MedFusion does not do.
    """
    path = _first(Path(folder), _METADATA, "metadata.json")
    if path.stat().st_size > MOST_METADATA_BYTES:
        raise UnreadableFile(f"{path.name} has {path.stat().st_size} bytes", "at most 1 MB")
    try:
        return _card(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        detail = f" ({error})" if isinstance(error, KeyError) else ""
        raise UnreadableFile(
            f"{path.name} does not describe a segmentation model{detail}", "the keys of Docs/models.md"
        ) from error


def load_model(folder: str | Path, card: ModelCard) -> Predict:
    """The network of a folder: (channels, D, H, W) float32 to (classes, D, H, W), along the card's axes.

    Raises
    ------
    UnreadableFile
        When the weights are missing, too large, not those of the card, or do not fit.
    NotSupported
        For files that can hold code (pickles, TorchScript), and without onnxruntime.
    """
    path = _first(Path(folder), _WEIGHTS, "model.onnx or model.safetensors")
    size = path.stat().st_size
    if size > MOST_WEIGHT_BYTES:
        raise UnreadableFile(f"{path.name} has {size / 2**30:.1f} GiB", f"at most {MOST_WEIGHT_BYTES >> 30} GiB")
    content = path.read_bytes()
    if card.sha256 is not None and hashlib.sha256(content).hexdigest() != card.sha256:
        raise UnreadableFile(f"{path.name} is not the file that metadata.json names", "the hash sha256 of the weights")
    if path.suffix == ".onnx":
        from MedFusionLib.networks.onnx_network import load_onnx

        return load_onnx(content, inputs=len(card.channels), classes=len(card.classes))
    return _own_network(content, card)


def _own_network(content: bytes, card: ModelCard) -> Predict:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from MedFusionLib.networks.encoders import NetworkSpec, create_network

    if card.network is None:
        raise UnreadableFile("Weights without the name of their network", "medfusion.network in metadata.json")
    spec = NetworkSpec(inputs=len(card.channels), classes=len(card.classes), **card.network)
    try:
        with torch.device("meta"):  # so that no size in the file can ask for memory
            network = create_network(spec)
        network.load_state_dict({key: value.float() for key, value in load(content).items()}, assign=True)
    except (SafetensorError, RuntimeError) as error:
        raise UnreadableFile(
            f"The weights do not fit the network {spec.name} of width {spec.width:g}", "those that were trained for it"
        ) from error
    network.eval().requires_grad_(False)

    def predict(part: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(part)[None])[0].numpy()

    return predict


def _first(folder: Path, names: tuple[str, ...], wanted: str) -> Path:
    if not folder.is_dir():
        raise UnreadableFile(
            f"No folder {folder.name}", "a folder with metadata.json and a model", "See Docs/models.md"
        )
    for name in names:
        path = folder / name
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            return path
    code = [path.name for path in (*folder.glob("*"), *folder.glob("models/*")) if path.suffix in _REFUSED]
    if code and wanted.startswith("model"):
        raise NotSupported(
            f"{code[0]} may run any code when it is loaded", "model.onnx or model.safetensors",
            "Export the model to ONNX",
        )  # fmt: skip
    raise UnreadableFile(f"{folder.name} holds no {wanted}", wanted, "See Docs/models.md")


def _card(text: dict) -> ModelCard:
    formats, own = text["network_data_format"], text.get("medfusion", {})
    image, answer = _only(formats["inputs"]), _only(formats["outputs"])
    count, outputs = _count(image["num_channels"]), _count(answer["num_channels"])
    names = _names(own.get("channels") or image.get("channel_def"), count)
    if count == 1 and names == ("image",):
        names = (str(image["modality"]),)
    classes = _names(answer["channel_def"], outputs)
    activation = own.get("activation", "softmax" if outputs > 1 else "sigmoid")
    axes = own.get("axes", "RAS")
    if activation not in ("softmax", "sigmoid") or axes not in _AXES:
        raise NotSupported(f"A model with {activation} and axes {axes}", "softmax or sigmoid, RAS or SAR")
    if activation == "softmax" and outputs < 2:
        raise UsageError("Softmax over one output", "background and at least one class, or sigmoid")
    network = own.get("network")
    return ModelCard(
        name=str(text.get("name") or text.get("task") or "model"),
        version=str(text.get("version", "")),
        channels=tuple(Channel(name, *_range(own, n)) for n, name in enumerate(names)),
        classes=classes,
        types=_types(own.get("types", {}), outputs),
        exclusive=activation == "softmax",
        window=_window(image["spatial_shape"]),
        spacing_mm=_spacing(own["spacing_mm"]),
        axes=axes,
        overlap=float(own.get("overlap", OVERLAP)),
        network=None if network is None else {"name": str(network["name"]), "width": float(network.get("width", 1))},
        sha256=own.get("sha256"),
    )


def _only(entries: dict) -> dict:
    if len(entries) != 1:
        raise NotSupported(f"A model with {len(entries)} inputs or outputs", "one image in, one out")
    return next(iter(entries.values()))


def _count(value) -> int:
    if not isinstance(value, int) or not 0 < value <= MOST_CLASSES:
        raise UnreadableFile(f"A model of {value} channels", f"1 to {MOST_CLASSES}")
    return value


def _names(entry: dict | list, count: int) -> tuple[str, ...]:
    names = tuple(str(entry[str(n)]) for n in range(count)) if isinstance(entry, dict) else tuple(map(str, entry))
    if len(names) != count:
        raise UnreadableFile(f"{len(names)} names for {count} channels", "one name per channel")
    return names


def _range(own: dict, number: int) -> tuple[float | None, float | None]:
    entry = (own.get("intensity") or {}).get(str(number))
    if entry is None:
        return None, None
    low, high = float(entry[0]), float(entry[1])
    if not (np.isfinite((low, high)).all() and low < high):
        raise UnreadableFile(f"The intensities {low} to {high} of channel {number}", "low < high")
    return low, high


def _types(entry: dict, outputs: int) -> dict[int, str]:
    found = {int(number): str(name) for number, name in entry.items()}
    for number, name in found.items():
        if name not in segment_types() or not 0 <= number < outputs:
            raise NotSupported(f"The type {name!r} of output {number}", "one of " + ", ".join(segment_types()))
    return found


def _window(entry: list) -> tuple[int, int, int]:
    if len(entry) != 3 or not all(isinstance(n, int) and 0 < n <= LONGEST_WINDOW for n in entry):
        raise NotSupported(f"A window of {entry}", f"three sizes of 1 to {LONGEST_WINDOW}")
    return tuple(entry)


def _spacing(entry: list) -> tuple[float, float, float]:
    spacing = tuple(float(n) for n in entry)
    if len(spacing) != 3 or not all(0.05 <= n <= 50 for n in spacing):
        raise UnreadableFile(f"A spacing of {entry} mm", "three lengths of 0.05 to 50 mm")
    return spacing
