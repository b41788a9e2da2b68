"""What each metric means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricInfo:
    """Definition of one metric.

    Parameters
    ----------
    name, title : str
        Key in the results, and name for people.
    unit : str
        Unit of the value.
    higher_is_better : bool or None
        None where neither is.
    way : str
        ``whole`` (over all voxels of the volume) or ``slices`` (per slice, averaged over the slices
        in which any source is above two grey levels).
    definition : str
        The formula in words; A are the sources, F the fused image, on the scale 0..255.
    citation : str
        Source of the definition.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool | None
    way: str
    definition: str
    citation: str


METRICS: tuple[MetricInfo, ...] = (
    MetricInfo(
        "en", "Entropy", "bits", True, "whole",
        "-sum p log2 p over the 256 grey levels of F; background counts", "C. E. Shannon 1948",
    ),
    MetricInfo("sd", "Standard deviation", "grey levels", True, "whole", "population standard deviation of F", "-"),
    MetricInfo(
        "sf", "Spatial frequency", "grey levels", True, "slices",
        "root of the mean squared first differences along rows plus along columns",
        "A. M. Eskicioglu, P. S. Fisher 1995",
    ),
    MetricInfo(
        "ag", "Average gradient", "grey levels", True, "slices",
        "mean of sqrt((gx^2 + gy^2) / 2), central differences, one-sided at borders", "G. Cui et al. 2015",
    ),
    MetricInfo(
        "mi", "Mutual information", "bits", True, "whole",
        "sum over the sources of I(A, F) from joint histograms of 256 x 256 grey levels", "G. Qu et al. 2002",
    ),
    MetricInfo(
        "nmi", "Normalised mutual information Q_MI", "1", True, "whole",
        "sum over the sources of 2 I(A, F) / (H(A) + H(F)); 0 to the number of sources", "M. Hossny et al. 2008",
    ),
    MetricInfo(
        "ssim", "Structural similarity", "1", True, "slices",
        "mean over the sources; Gaussian window 11 x 11 with sigma 1.5, K1 0.01, K2 0.03, range 255, population "
        "covariance, valid region", "Z. Wang et al. 2004",
    ),
    MetricInfo(
        "qabf", "Edge preservation Q_AB/F", "1", True, "slices",
        "edge strength and orientation (wrapped at pi) of Sobel gradients kept in F, weighted by the sources' "
        "gradients; valid region; at most 0.9748", "C. S. Xydeas, V. Petrovic 2000",
    ),
)  # fmt: skip
