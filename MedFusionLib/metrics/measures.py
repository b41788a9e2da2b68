"""Which function computes which metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from MedFusionLib.metrics import (
    edge_preservation,
    faithfulness,
    feature_information,
    gradient,
    perception,
    phase_congruency,
    quality_index,
    similarity,
    visual_fidelity,
)
from MedFusionLib.metrics.slab import Slab


@dataclass(frozen=True)
class SliceMeasure:
    """A function that gives some metrics of each slice of a slab.

    Parameters
    ----------
    names : tuple of str
        Keys of the result.
    function : callable
        Slab to (K,) tensors by name.
    exact : bool
        Whether it needs float64.
    blank : bool
        Whether the images are set to 0 outside the mask first.
    """

    names: tuple[str, ...]
    function: Callable[[Slab], dict[str, Tensor]]
    exact: bool = False
    blank: bool = False

    def __call__(self, slab: Slab) -> dict[str, Tensor]:
        """The metrics of each slice."""
        slab = slab.blanked() if self.blank else slab
        return self.function(slab.double() if self.exact else slab)


SLICE_MEASURES: tuple[SliceMeasure, ...] = (
    SliceMeasure(("sf", "ag", "ei"), gradient.fused_detail),
    SliceMeasure(("ssim", "ssim_w"), similarity.similarities),
    SliceMeasure(("qabf",), edge_preservation.kept_edges),
    SliceMeasure(("anat",), faithfulness.anatomical_detail),
    SliceMeasure(("labf", "nabf"), edge_preservation.lost_and_invented_edges),
    SliceMeasure(("vif", "vif_w"), visual_fidelity.fidelity, blank=True),
    SliceMeasure(("viff",), visual_fidelity.fusion_fidelity, blank=True),
    SliceMeasure(("ms_ssim",), similarity.multi_scale, blank=True),
    SliceMeasure(("q_piella", "q_w", "q_e"), quality_index.piella, exact=True),
    SliceMeasure(("q_y",), quality_index.yang, exact=True),
    SliceMeasure(("q_p",), phase_congruency.phase_agreement, exact=True, blank=True),
    SliceMeasure(("q_cb",), perception.contrast_preservation, exact=True, blank=True),
    SliceMeasure(("q_cv",), perception.regional_error, exact=True, blank=True),
    *(
        SliceMeasure(
            (f"fmi_{name}",), partial(feature_information.features_in_common, name=name), blank=name != "pixel"
        )
        for name in feature_information.FEATURES
    ),
    SliceMeasure(("ssim_legacy",), similarity.legacy_similarity, exact=True, blank=True),
    SliceMeasure(("qabf_legacy", "labf_legacy", "nabf_legacy"), edge_preservation.legacy_edges, exact=True, blank=True),
)
INFORMATION = {"en", "mi", "mi_nats", "q_mi", "nmi", "nmi_joint", "ncie"}
MOMENTS = {"sd", "mse", "rmse", "psnr", "psnr_legacy", "cc", "scd"}
