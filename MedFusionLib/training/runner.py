"""Run a recipe: steps, checkpoints, the curve, the weights and their card."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from MedFusionLib.errors import Cancelled, MedFusionError, UnreadableFile, UsageError
from MedFusionLib.networks.loading import count_parameters
from MedFusionLib.training.curve import draw_curve
from MedFusionLib.training.instructions import VARIABLES
from MedFusionLib.training.recipe import Recipe, Training
from MedFusionLib.training.sheet import draw_sheet

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_CHECKPOINTS = 60.0
POINTS_OF_THE_CURVE = 400
CPUS = Path("/proc/cpuinfo")
"""What Linux tells of the processor."""


@dataclass(frozen=True)
class TrainOptions:
    """How to run a recipe.

    Parameters
    ----------
    data : Path or None
        Folder with the training data.
    out : Path
        Where NAME.safetensors, NAME.json, NAME.png and the checkpoint go.
    minutes : float or None
        Stop after this time with a checkpoint; the same call goes on from it. None runs to the end.
    """

    data: Path | None
    out: Path
    minutes: float | None = None


def train(
    recipe: Recipe,
    options: TrainOptions,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict:
    """Train; a checkpoint in the folder is gone on from.

    The same recipe and data give the same bits on the same kind of machine, in one go or several; the card tells what
    kind that was, or all kinds where a training went on elsewhere. Held to AVX2 (`instructions`), processors with wider
    instructions give the bits of those without, as long as the maker is the same.

    Returns
    -------
    dict
        ``finished``, ``steps``, ``weights`` (path or None), ``seconds``, ``loss``.

    Raises
    ------
    UsageError
        When the recipe needs a folder with data.
    UnreadableFile
        When the checkpoint is damaged or of another recipe.
    TrainingCollapsed
        When a training cannot come to anything; the curve and a checkpoint are left.
    Cancelled
        When `cancelled` returned true; a checkpoint is left.
    """
    if recipe.needs_data and options.data is None:
        raise UsageError(f"The recipe {recipe.name} needs training data", "a folder", "Name it with --data")
    torch.set_num_threads(1)  # another number of threads adds in another order
    torch.manual_seed(recipe.seed)
    training = recipe.begin(recipe.build())
    run = _Run(recipe, options, training, _begin_history(recipe, options, training))
    return run.work_off(recipe.load(options.data), progress or (lambda done, total: None), cancelled)


class _Run:
    """One call of `train`."""

    def __init__(self, recipe: Recipe, options: TrainOptions, training: Training, history: dict) -> None:
        self.recipe, self.options, self.training, self.history = recipe, options, training, history
        self.started = self.saved = time.monotonic()
        self.before = history["seconds"] - time.process_time()
        if history["machines"][-1:] != [kind_of_machine()]:
            history["machines"].append(kind_of_machine())

    def work_off(self, data: Any, progress: Callable, cancelled: Callable[[], bool]) -> dict:
        total = self.recipe.steps
        for number in range(self.history["steps"], total):
            if cancelled():
                self._save()
                raise Cancelled(hint="The same command goes on from the checkpoint")
            generator = torch.Generator().manual_seed((self.recipe.seed << 32) + number)
            torch.manual_seed(number)
            try:
                terms = self.training.advance(number, self.recipe.batch(data, generator))
            except MedFusionError:
                self._save()
                raise
            self._note(number, terms)
            self._draw_samples(number, data)
            progress(number + 1, total)
            if self._is_out_of_time():
                break
        finished = self.history["steps"] >= total
        self._save()
        weights = self._finish(data) if finished else None
        return {"finished": finished, "steps": self.history["steps"], "weights": weights and str(weights),
                "seconds": self.history["seconds"], "loss": self.history["curve"][-1:]}  # fmt: skip

    def _note(self, number: int, terms: dict[str, float]) -> None:
        self.history["steps"] = number + 1
        self.history["seconds"] = self.before + time.process_time()
        every = max(1, self.recipe.steps // POINTS_OF_THE_CURVE)
        if number % every == 0 or number + 1 == self.recipe.steps:
            self.history["curve"].append({"step": number, **{name: round(value, 6) for name, value in terms.items()}})
        if time.monotonic() - self.saved > SECONDS_BETWEEN_CHECKPOINTS:
            self._save()

    def _draw_samples(self, number: int, data: Any) -> None:
        """After every epoch; chances of the training are left as they were."""
        if self.recipe.sheet is None or (number + 1) % self.recipe.epoch:
            return
        network = self.training.network.eval()
        with torch.no_grad():
            image = self.recipe.sheet(network, data)
        network.train()
        epoch = (number + 1) // self.recipe.epoch
        draw_sheet(image, self.options.out / f"{self.recipe.name}-samples" / f"epoch-{epoch:02d}.png")

    def _is_out_of_time(self) -> bool:
        minutes = self.options.minutes
        return minutes is not None and time.monotonic() - self.started > 60 * minutes

    def _save(self) -> None:
        from safetensors.torch import save_file

        folder = self.options.out
        folder.mkdir(parents=True, exist_ok=True)
        path, temporary = _checkpoint(self.recipe, folder), folder / f".{self.recipe.name}.part"
        history = {"history": json.dumps({"recipe": self.recipe.name, **self.history})}
        save_file({key: value.contiguous() for key, value in self.training.tensors().items()}, temporary, history)
        temporary.replace(path)
        draw_curve(self.history["curve"], folder / f"{self.recipe.name}.png", self.recipe.name)
        self.saved = time.monotonic()

    def _finish(self, data: Any) -> Path:
        network = self.training.network.eval()
        tensors = {name: _stored(value) for name, value in network.state_dict().items()}
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
        )
        with torch.no_grad():
            figures = self.recipe.figures(network, data) if self.recipe.figures else {}
        path = write_weights(self.recipe, tensors, self.options.out, figures, self.history, count_parameters(network))
        _checkpoint(self.recipe, self.options.out).unlink()
        return path


def write_weights(
    recipe: Recipe, tensors: dict[str, Tensor], folder: Path, figures: dict, history: dict, parameters: int
) -> Path:
    """NAME.safetensors (float16) and its card NAME.json; the path of the weights."""
    from safetensors.torch import save

    content = save({name: value.contiguous() for name, value in tensors.items()})
    machines = history["machines"]
    machine = {
        key: ", then ".join(dict.fromkeys(kind.get(key, "unknown") for kind in machines)) for key in machines[-1]
    }
    held = machine["instructions"].lower()
    record = {
        "name": recipe.name,
        **recipe.about,
        "sha256": hashlib.sha256(content).hexdigest(),
        "parameters": parameters,
        "steps": recipe.steps,
        "seed": recipe.seed,
        "figures": figures,
        "final_loss": history["curve"][-1] if history["curve"] else {},
        "command": f"medfusion train {recipe.words or recipe.name} --out DIR"
        + " --data DATA" * recipe.needs_data
        + f" --instructions {held}" * (held in VARIABLES),
        "licence": "as MedFusion",
        "seconds_on_one_core": round(history["seconds"]),
        "machine": machine,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{recipe.name}.safetensors").write_bytes(content)
    (folder / f"{recipe.name}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return folder / f"{recipe.name}.safetensors"


def kind_of_machine() -> dict[str, str]:
    """What decides the last bits of a training: PyTorch, the processor's family and maker, vector instructions."""
    return {
        "torch": str(torch.__version__), "processor": platform.machine(), "maker": _maker(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }  # fmt: skip


def _maker() -> str:
    """GenuineIntel, AuthenticAMD ...: Linux names it, other systems put it last in what they call the processor."""
    for line in CPUS.read_text(encoding="utf-8", errors="replace").splitlines() if CPUS.is_file() else ():
        if line.startswith("vendor_id"):
            return line.partition(":")[2].strip()
    return platform.processor().rpartition(", ")[2] or "unknown"


def _stored(value: Tensor) -> Tensor:
    """Values as they are stored: float16 has four digits, enough for weights."""
    return value.detach().half() if value.is_floating_point() else value.detach()


def _begin_history(recipe: Recipe, options: TrainOptions, training: Training) -> dict:
    """What was done before: from the checkpoint if there is one."""
    from safetensors import SafetensorError, safe_open

    path = _checkpoint(recipe, options.out)
    if not path.is_file():
        return {"steps": 0, "seconds": 0.0, "curve": [], "machines": []}
    try:
        with safe_open(path, framework="pt") as file:
            history = json.loads(file.metadata()["history"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        if history.pop("recipe") != recipe.name or "machines" not in history:
            raise KeyError(recipe.name)
        training.restore(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UnreadableFile(
            f"{path.name} is not a checkpoint of the recipe {recipe.name}", "the file that the training left",
            "Delete it to begin anew",
        ) from error  # fmt: skip
    logger.info("going on from step %d", history["steps"])
    return history


def _checkpoint(recipe: Recipe, folder: Path) -> Path:
    return folder / f"{recipe.name}.checkpoint.safetensors"
