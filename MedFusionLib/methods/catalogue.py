"""The catalogue: one line per method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from MedFusionLib.errors import UsageError
from MedFusionLib.methods.average import Average
from MedFusionLib.methods.base import FusionMethod, MethodInfo
from MedFusionLib.methods.brovey import Brovey
from MedFusionLib.methods.cddfuse import BaseDetailFusion
from MedFusionLib.methods.contourlet import DecimatedContourletFusion
from MedFusionLib.methods.convex import ConvexFusion
from MedFusionLib.methods.convex_attention import ConvexAttentionFusion
from MedFusionLib.methods.csmca import MorphologicalComponentFusion
from MedFusionLib.methods.csr import ConvolutionalSparseFusion
from MedFusionLib.methods.curvelet import CurveletFusion
from MedFusionLib.methods.ddcgan import DualDiscriminatorFusion
from MedFusionLib.methods.dense_dcgan import DenseAdversarialFusion
from MedFusionLib.methods.densefuse import DenseFuseFusion
from MedFusionLib.methods.densefuse_tuned import TunedDenseFuseFusion
from MedFusionLib.methods.dtcwt import DualTreeFusion
from MedFusionLib.methods.dwt import WaveletFusion
from MedFusionLib.methods.emfusion import EnhancedMedicalFusion
from MedFusionLib.methods.fast_two_scale import FastTwoScale
from MedFusionLib.methods.fusiongan import FusionGANFusion
from MedFusionLib.methods.gff import GuidedFilterFusion
from MedFusionLib.methods.gradient_pyramid import GradientPyramidFusion
from MedFusionLib.methods.ifcnn import IFCNNFusion
from MedFusionLib.methods.ift import ImageFusionTransformerFusion
from MedFusionLib.methods.ihs import IntensityHueSaturation
from MedFusionLib.methods.jsr import JointSparseFusion
from MedFusionLib.methods.l0_nsct_sr import L0ContourletSparseFusion
from MedFusionLib.methods.laplacian import LaplacianFusion
from MedFusionLib.methods.lp_sr import LaplacianSparseFusion
from MedFusionLib.methods.maximum import Maximum
from MedFusionLib.methods.mcfnet import MCFNetFusion
from MedFusionLib.methods.mmi_fuse import InformationFusion
from MedFusionLib.methods.msdnet import MSDNetFusion
from MedFusionLib.methods.nestfuse import NestFuseFusion
from MedFusionLib.methods.nsct import ContourletFusion
from MedFusionLib.methods.nsct_fotgv import DenoisedContourletFusion
from MedFusionLib.methods.nsct_pcnn import ContourletPulseCoupledFusion
from MedFusionLib.methods.nsct_sr import ContourletSparseFusion
from MedFusionLib.methods.nsst import ShearletFusion
from MedFusionLib.methods.nsst_papcnn import ShearletPulseCoupledFusion
from MedFusionLib.methods.pca import PrincipalComponents
from MedFusionLib.methods.pmgi import PMGIFusion
from MedFusionLib.methods.pyramid_cnn import PyramidNetworkFusion
from MedFusionLib.methods.ratio_pyramid import RatioPyramidFusion
from MedFusionLib.methods.rules.named import rule_named
from MedFusionLib.methods.sdnet import SDNetFusion
from MedFusionLib.methods.shearlet_cnn import ShearletNetworkFusion
from MedFusionLib.methods.siamese_l0_nsct_sr import SiameseL0Fusion
from MedFusionLib.methods.siamese_laplacian import SiameseLaplacianFusion
from MedFusionLib.methods.siamese_nsct import SiameseContourletFusion
from MedFusionLib.methods.siamese_nsct_fotgv import SiameseDenoisedFusion
from MedFusionLib.methods.siamese_nsst_curvelet import SiameseShearletCurveletFusion
from MedFusionLib.methods.sr import SparseRepresentation
from MedFusionLib.methods.swt import StationaryWaveletFusion
from MedFusionLib.methods.tikhonov import TikhonovFusion
from MedFusionLib.methods.transfuse import TransFuseFusion
from MedFusionLib.methods.transmef import TransMEFFusion
from MedFusionLib.methods.tumour_gan import TumourGuidedFusion
from MedFusionLib.methods.u2fusion import UnifiedFusion
from MedFusionLib.methods.variational import VariationalFusion
from MedFusionLib.methods.vgg16_fast import Vgg16Fast
from MedFusionLib.methods.vgg16_zero import Vgg16Zero
from MedFusionLib.methods.weighted import WeightedSum

CATALOGUE: tuple[type, ...] = (
    Average,
    WeightedSum,
    Maximum,
    PrincipalComponents,
    IntensityHueSaturation,
    Brovey,
    LaplacianFusion,
    RatioPyramidFusion,
    GradientPyramidFusion,
    WaveletFusion,
    StationaryWaveletFusion,
    DualTreeFusion,
    CurveletFusion,
    DecimatedContourletFusion,
    ContourletFusion,
    ContourletPulseCoupledFusion,
    ShearletFusion,
    ShearletPulseCoupledFusion,
    SparseRepresentation,
    JointSparseFusion,
    LaplacianSparseFusion,
    ContourletSparseFusion,
    L0ContourletSparseFusion,
    ConvolutionalSparseFusion,
    MorphologicalComponentFusion,
    GuidedFilterFusion,
    TikhonovFusion,
    FastTwoScale,
    VariationalFusion,
    DenoisedContourletFusion,
    ConvexFusion,
    ConvexAttentionFusion,
    DenseFuseFusion,
    MSDNetFusion,
    NestFuseFusion,
    InformationFusion,
    Vgg16Zero,
    Vgg16Fast,
    ShearletNetworkFusion,
    MCFNetFusion,
    PyramidNetworkFusion,
    TunedDenseFuseFusion,
    UnifiedFusion,
    EnhancedMedicalFusion,
    IFCNNFusion,
    PMGIFusion,
    SDNetFusion,
    FusionGANFusion,
    DualDiscriminatorFusion,
    DenseAdversarialFusion,
    TumourGuidedFusion,
    ImageFusionTransformerFusion,
    TransMEFFusion,
    TransFuseFusion,
    BaseDetailFusion,
    SiameseLaplacianFusion,
    SiameseContourletFusion,
    SiameseShearletCurveletFusion,
    SiameseDenoisedFusion,
    SiameseL0Fusion,
)

DEFAULTS = {
    "MR-CT": "laplacian",
    "MR-NM": "laplacian",
    "MR-PT": "laplacian",
    "CT-PT": "laplacian",
    "CT-NM": "laplacian",
    "NM-PT": "laplacian",
    "MR-MR": "laplacian",
}
DEFAULT_OTHERWISE = "laplacian"


def methods() -> list[MethodInfo]:
    """Information on every method, in the order of the catalogue."""
    return [entry.info for entry in CATALOGUE]


def create_method(name: str, parameters: dict[str, Any] | None = None) -> FusionMethod:
    """The method of that name.

    Parameters
    ----------
    name : str
        As in the catalogue.
    parameters : dict or None
        Keyword arguments of the method, for example ``{"levels": 3}``; rules are given by name, see
        `rules.named.RULES`.

    Raises
    ------
    UsageError
        For a name that is not in the catalogue or a parameter that the method does not have.
    """
    for entry in CATALOGUE:
        if entry.info.name == name:
            try:
                return entry(**_with_rules(parameters or {}))
            except TypeError as error:
                fields = ", ".join(getattr(entry, "__dataclass_fields__", {})) or "none"
                what = f"{name} does not take the parameters {parameters}"
                raise UsageError(what, f"parameters: {fields}") from error
    raise UsageError(
        f"Unknown method {name!r}",
        "one of " + ", ".join(info.name for info in methods()),
        "List them with: medfusion methods",
    )


def _with_rules(parameters: dict[str, Any]) -> dict[str, Any]:
    """Names of rules replaced by the rules."""
    return {
        name: rule_named(value) if name.endswith("_rule") and isinstance(value, str) else value
        for name, value in parameters.items()
    }


def default_for(modalities: Sequence[str]) -> str:
    """Name of the default method for sources of these modalities, in any order.

    The pair is formed by the first two; further sources do not change the choice.
    """
    first, second = modalities[0], modalities[1]
    return DEFAULTS.get(f"{first}-{second}") or DEFAULTS.get(f"{second}-{first}") or DEFAULT_OTHERWISE


def default_pairs(name: str) -> tuple[str, ...]:
    """The modality pairs for which a method is the default."""
    return tuple(pair for pair, method in DEFAULTS.items() if method == name)
