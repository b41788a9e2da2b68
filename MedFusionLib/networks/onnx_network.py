"""A user's own network as an ONNX file, run by onnxruntime (extra ``onnx``) on the CPU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from MedFusionLib.errors import NotSupported, UnreadableFile
from MedFusionLib.threads import default_workers


def load_onnx(content: bytes, *, inputs: int, classes: int) -> Callable[[np.ndarray], np.ndarray]:
    """The network in the bytes of an ONNX file.

    Bytes and not a path: tensors that the file would fetch from other files are thereby refused, as
    are operators that onnxruntime does not know.

    Parameters
    ----------
    content : bytes
        The file.
    inputs, classes : int
        Channels that are promised.

    Returns
    -------
    callable
        (inputs, D, H, W) float32 array to (classes, D, H, W) float32 array.

    Raises
    ------
    NotSupported
        Without onnxruntime, or for a network with other inputs and outputs than one image each.
    UnreadableFile
        When it is no ONNX file or does not keep what is promised.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise NotSupported(
            "An ONNX model without onnxruntime", "the extra onnx", "pip install medfusion[onnx]"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = default_workers()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an error class per status, with Exception as their only parent
        raise UnreadableFile(
            "The ONNX model cannot be loaded", "one file with its weights inside and standard operators"
        ) from error
    name = _checked(session, inputs, classes)

    def predict(part: np.ndarray) -> np.ndarray:
        try:
            found = session.run(None, {name: part[None]})[0]
        except Exception as error:
            raise UnreadableFile(
                f"The ONNX model fails on an image of {part.shape}", "the size that metadata.json promises"
            ) from error
        if found.ndim != part.ndim + 1 or found.shape[:2] != (1, classes):
            raise UnreadableFile(f"The ONNX model answers with {found.shape}", f"1 image of {classes} channels")
        return found[0].astype(np.float32, copy=False)

    return predict


def _checked(session, inputs: int, classes: int) -> str:
    """Name of the only input; the shapes are those that were promised wherever the file states any."""
    given, answered = session.get_inputs(), session.get_outputs()
    if len(given) != 1 or len(answered) != 1 or given[0].type != "tensor(float)":
        raise NotSupported(
            f"An ONNX model with {len(given)} inputs and {len(answered)} outputs", "one float32 image in, one out"
        )
    for channels, (what, shape) in zip((inputs, classes), (("input", given[0].shape), ("output", answered[0].shape))):
        if len(shape) != 5 or (isinstance(shape[1], int) and shape[1] != channels):
            raise UnreadableFile(f"The {what} of the ONNX model is {shape}", f"(1, {channels}, D, H, W)")
    return given[0].name
