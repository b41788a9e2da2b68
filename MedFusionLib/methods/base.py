"""What a fusion method is: information, a fit to the whole volume, and the fusion itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor

MUCH_INVENTION = 0.01
"""Share of invented foreground above which a method carries a warning."""
ALL_PAIRS = ("MR-CT", "MR-NM", "MR-PT", "CT-PT", "CT-NM", "NM-PT", "MR-MR")


@dataclass(frozen=True)
class MethodInfo:
    """What the catalogue says of a method.

    Parameters
    ----------
    name : str
        Lower-case name with hyphens, as on the command line.
    title, family, citation, sentence : str
        For people: full name, family of methods, paper, and one sentence on what it does.
    survey_reference : str
        Number in the survey of the field that MedFusion follows, empty when it has none.
    reproduces : str
        What of the paper is reproduced and what is our own choice.
    dims : tuple of int
        2 for slice-wise, 3 for volumetric.
    max_sources : int or None
        Largest number of sources taken at once; None for any number. The least is always two.
    pairs : tuple of str
        Modality pairs it suits.
    weights : str
        SHA-256 of the trained weights, empty without any.
    is_symmetric : bool
        Whether the order of the sources does not matter.
    is_fast : bool
        Whether one slice takes well under 300 ms, so that a live preview makes sense.
    deterministic : bool
        Whether the same input gives the same bits.
    denoises : bool
        Whether it takes out noise: a noisy source fused with itself then comes back smoother.
    identity_psnr : float or None
        Least PSNR in dB of a source fused with itself against the source; None when it comes back exactly.
    memory_factor : float
        Floats held at once per voxel of one source; the engine plans chunks with it.
    volume_memory_factor : float or None
        The same in volumes, where a method works through planes of them; None where it does not differ.
    flagship : bool
        The method of our own design that the project leads with; the defaults are chosen for speed, too.
    takes_native : bool
        Whether moving sources may come on their own grids; its class then has ``fit_native``, see `FusionMethod`.
    slices_together : int
        Slices in a row of which each may start from the one before: pieces of a volume hold whole groups, so that
        the result does not depend on the pieces.
    invention : float or None
        Share of the foreground outside what the sources show, on pairs held back from the training (the worst set of
        the model card); None for methods that were not trained.
    """

    name: str
    title: str
    family: str
    citation: str
    sentence: str
    reproduces: str
    survey_reference: str = ""
    dims: tuple[int, ...] = (2, 3)
    max_sources: int | None = None
    pairs: tuple[str, ...] = ALL_PAIRS
    weights: str = ""
    is_symmetric: bool = True
    is_fast: bool = True
    deterministic: bool = True
    denoises: bool = False
    identity_psnr: float | None = None
    memory_factor: float = 3.0
    volume_memory_factor: float | None = None
    flagship: bool = False
    takes_native: bool = False
    slices_together: int = 1
    invention: float | None = None

    def memory_factor_in(self, mode: str) -> float:
        """Floats held at once per voxel of one source in ``slice`` or ``volume`` mode."""
        return (self.volume_memory_factor if mode == "volume" else None) or self.memory_factor

    @property
    def warning(self) -> str:
        """What a person should know before choosing the method; empty when there is nothing."""
        if self.invention is None or self.invention <= MUCH_INVENTION:
            return ""
        return (
            f"{self.title} invents: on pictures it was not trained on, {self.invention:.1%} of its fused samples lay "
            "outside what the sources show there. Look at the invention map."
        )


@dataclass(frozen=True)
class Local:
    """Support of a method whose output depends on a neighbourhood only.

    Parameters
    ----------
    halo : tuple of int
        Per spatial axis, samples beyond a tile that its output depends on.
    alignment : tuple of int
        Per spatial axis, the multiple at which a tile must start (the decimation).
    """

    halo: tuple[int, ...]
    alignment: tuple[int, ...]


@dataclass(frozen=True)
class Global:
    """Support of a method that must see a whole slice (or the whole volume) at once."""


@dataclass(frozen=True, eq=False)
class Fused:
    """What a method gives back.

    Parameters
    ----------
    image : (N, *spatial) Tensor
        The fused image.
    parts : (N, S, *spatial) Tensor or None
        What came from each source; the parts add up to the image. None when not asked for.
    """

    image: Tensor
    parts: Tensor | None = None


class FusionMethod(Protocol):
    """Fuses normalised sources; knows nothing of files, devices, tiles or colour.

    A method with ``info.takes_native`` also has ``fit_native(sources, spacing, native)``: `native` holds per moving
    source a `native.NativeSlices`, or None where the source lies on the common grid. What it returns has, besides
    `FittedMethod`, ``at(numbers)``: the same for a range of slices.
    """

    info: ClassVar[MethodInfo]

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedMethod:
        """Everything that must be known of the whole input: sizes, spacing, statistics.

        Parameters
        ----------
        sources : (N, S, H, W) or (1, S, D, H, W) float32 Tensor in 0..1
            All slices, or the whole volume.
        spacing : tuple of float
            Voxel size in mm along the spatial axes.
        """


def weights_of(method: FusionMethod) -> str:
    """SHA-256 of the weights that a method uses, empty without any.

    A method whose parameters choose between several has a property `weights`; else they are those of its `info`.
    """
    return getattr(method, "weights", method.info.weights)


class FittedMethod(Protocol):
    """A method that is ready for one input, whole or in pieces."""

    @property
    def support(self) -> Local | Global:
        """What a piece must contain so that its output equals that of the whole."""

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse all slices, the volume, or a tile of them, laid out as in `FusionMethod.fit`."""
