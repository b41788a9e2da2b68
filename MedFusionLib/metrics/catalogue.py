"""All metrics."""

from __future__ import annotations

from functools import partial

from MedFusionLib.metrics.registry import MetricInfo

_FUSED = {"higher_is_better": True, "pooling": "F"}
_whole = partial(MetricInfo, way="whole")
_slices = partial(MetricInfo, way="slices")
_BEST, _LEAST = {"higher_is_better": True}, {"higher_is_better": False}
_ROLES = {"needs_roles": True, "pooling": "worst", "citation": "defined here", **_BEST}
_XYDEAS = "C. S. Xydeas, V. Petrovic 2000"
_KUMAR = "V. Petrovic, C. Xydeas 2005; B. K. Shreyamsha Kumar 2013"
_FMI = "M. B. A. Haghighat et al. 2011"

METRICS: tuple[MetricInfo, ...] = (
    _whole("en", "Entropy", "bits", "0 to 8", **_FUSED, standard=True, citation="C. E. Shannon 1948",
           definition="-sum p log2 p over the 256 grey levels of F; background counts unless masked",
           elsewhere="same; empty background makes up half of a brain slice, and lifting it looks better"),
    _whole("sd", "Standard deviation", "grey levels", "0 to 127.5", **_FUSED, standard=True, citation="-",
           definition="population standard deviation of F", elsewhere="sample deviation: negligible"),
    _slices("sf", "Spatial frequency", "grey levels", "0 to 361", **_FUSED, standard=True,
            citation="A. M. Eskicioglu, P. S. Fisher 1995",
            definition="root of the mean squared first differences along rows plus along columns",
            elsewhere="division by all pixels instead of all differences: 0.2 % lower at 256 x 256"),
    _slices("ag", "Average gradient", "grey levels", "0 to 255", **_FUSED, standard=True,
            citation="G. Cui et al. 2015",
            definition="mean of sqrt((gx^2 + gy^2) / 2), central differences, one-sided at borders",
            elsewhere="division by (H-1)(W-1): 1.0078 times higher at 256 x 256"),
    _slices("ei", "Edge intensity", "grey levels", "0 to 1443", **_FUSED, citation="V. Rajalingam 2015",
            definition="mean Sobel magnitude of F (weights 1 2 1, not divided), valid region",
            elsewhere="Sobel divided by 8: 8 times lower; zero-padded borders"),
    _whole("mi", "Mutual information", "bits", "0 to 8 S", **_BEST, pooling="sum", standard=True,
           citation="G. Qu et al. 2002",
           definition="sum over the sources of I(A, F) from joint histograms of 256 x 256 grey levels",
           elsewhere="natural logarithm: 1.4427 times lower, see mi_nats"),
    _whole("mi_nats", "Mutual information in nats", "nats", "0 to 5.55 S", **_BEST, pooling="sum", legacy=True,
           citation="G. Qu et al. 2002", definition="mi times ln 2, as many printed tables give it"),
    _whole("q_mi", "Normalised mutual information Q_MI", "1", "0 to S", **_BEST, pooling="sum",
           citation="M. Hossny et al. 2008", definition="sum over the sources of 2 I(A, F) / (H(A) + H(F))",
           elsewhere="called MI in one widespread toolbox"),
    _whole("nmi", "Normalised mutual information Q_MI", "1", "0 to S", **_BEST, pooling="sum", standard=True,
           citation="M. Hossny et al. 2008", definition="the same value as q_mi under its shorter name"),
    _whole("nmi_joint", "Normalised mutual information of Studholme", "1", "1 to 2", **_BEST, pooling="mean",
           citation="C. Studholme et al. 1999", definition="mean over the sources of (H(A) + H(F)) / H(A, F)",
           elsewhere="one name, other normalisation: never compare with q_mi"),
    _whole("ncie", "Nonlinear correlation information entropy Q_NCIE", "1", "0 to 1", **_BEST, pooling="joint",
           citation="Q. Wang et al. 2008",
           definition="1 + sum (r/n) log_256(r/n) over the eigenvalues r of the n x n matrix of I(X, Y) / 8 bits "
           "between all sources and F", elsewhere="other bins, ranks instead of grey levels"),
    *(
        _slices(f"fmi_{name}", f"Feature mutual information, {name}", "1", "0 to 1", **_BEST, pooling="mean",
                citation=_FMI, mask="inside" if name == "pixel" else "blank",
                definition=f"normalised mutual information of 3 x 3 windows of {what}; joint distribution "
                "interpolated towards the Frechet bound", elsewhere="the feature and the window are often not stated")
        for name, what in (("pixel", "grey levels"), ("gradient", "Sobel magnitudes"),
                           ("dct", "the DCT of the slice"), ("wavelet", "one level of the discrete Meyer DWT"))
    ),
    _slices("ssim", "Structural similarity", "1", "-1 to 1", **_BEST, pooling="mean", standard=True,
            citation="Z. Wang et al. 2004",
            definition="Gaussian window 11 x 11 with sigma 1.5, K1 0.01, K2 0.03, range 255, population covariance, "
            "valid region", elsewhere="sum (2 times higher); range 2 or 1 for float images, see ssim_legacy"),
    _slices("ssim_w", "Structural similarity, worse source", "1", "-1 to 1", **_BEST, pooling="worst",
            citation="Z. Wang et al. 2004", definition="ssim of the source that F resembles less, per slice"),
    _slices("ssim_legacy", "Structural similarity with range 2", "1", "-1 to S", **_BEST, pooling="sum",
            legacy=True, mask="blank", citation="-",
            definition="uniform window 7 x 7, sample covariance, C1 and C2 for range 2 on grey levels 0 to 255; sum",
            elsewhere="splits printed tables in two: a background lifted from 0 to 8 scores nearly 0"),
    _slices("ms_ssim", "Multi-scale structural similarity", "1", "0 to 1", **_BEST, pooling="mean", mask="blank",
            citation="Z. Wang et al. 2003",
            definition="five levels halved by 2 x 2 means, exponents .0448 .2856 .3001 .2363 .1333; negative terms "
            "count as 0; at least 176 samples", elsewhere="a three-level variant made for exposure fusion"),
    _slices("vif", "Visual information fidelity VIFp", "1", "0 to about S", **_BEST, pooling="sum", mask="blank",
            citation="H. R. Sheikh, A. C. Bovik 2006",
            definition="pixel domain, four scales, Gaussian windows 17 9 5 3 with sigma N/5, noise variance 2; at "
            "least 41 samples; above 1 per source where contrast grows",
            elsewhere="mean over sources: 2 times lower; often printed as VIFF; wavelet-domain VIF differs"),
    _slices("vif_w", "Visual information fidelity, worse source", "1", "0 to about 1", **_BEST, pooling="worst",
            mask="blank", citation="H. R. Sheikh, A. C. Bovik 2006",
            definition="vif of the source that F keeps less of, per slice"),
    _slices("viff", "Visual information fidelity for fusion", "1", "0 to about 1", **_BEST, pooling="joint",
            mask="blank", citation="Y. Han et al. 2013",
            definition="components of vif with noise variance 325.125; in each window the source with the least gain "
            "counts; scales weighted 1 0 0.15 1 over 2.15", elsewhere="another number than vif: never compare"),
    _slices("qabf", "Edge preservation Q_AB/F", "1", "0 to 0.9748", **_BEST, pooling="joint", standard=True,
            citation=_XYDEAS,
            definition="edge strength and orientation (wrapped at pi) of Sobel gradients kept in F, weighted by the "
            "sources' gradients; valid region", elsewhere="see qabf_legacy; reported up to 1.6 times apart"),
    _slices("qabf_legacy", "Edge preservation as widespread", "1", "about 0 to 0.98", **_BEST, pooling="joint",
            legacy=True, mask="blank", citation=_XYDEAS,
            definition="zero-padded borders make edges, angles are not wrapped, equal strengths g count as g"),
    _slices("labf", "Edge loss L_AB/F", "1", "0 to 1", **_LEAST, pooling="joint", citation=_KUMAR,
            definition="1 - sqrt(Qg Qa) where F has not the strongest gradient, constants .9999 19 .5 and .9995 22 .5, "
            "weights (Sobel/8)^1.5 from 2 on, else 0.001; valid region", elsewhere="thresholds and exponents vary"),
    _slices("nabf", "Fusion artefacts N_AB/F", "1", "0 to 1", **_LEAST, pooling="joint", citation=_KUMAR,
            definition="as labf, where the gradient of F is stronger than that of every source",
            elsewhere="thresholds and exponents vary"),
    _slices("labf_legacy", "Edge loss with periodic borders", "1", "0 to 1", **_LEAST, pooling="joint", legacy=True,
            mask="blank", citation=_KUMAR, definition="labf over the whole slice, continued periodically"),
    _slices("nabf_legacy", "Fusion artefacts with periodic borders", "1", "0 to 1", **_LEAST, pooling="joint",
            legacy=True, mask="blank", citation=_KUMAR, definition="nabf over the whole slice, continued periodically"),
    _slices("q_p", "Phase congruency Q_P", "1", "-1 to 1", **_BEST, pooling="joint", mask="blank",
            citation="J. Zhao et al. 2007; P. Kovesi 1999",
            definition="product over phase congruency, largest and smallest moment of the best correlation of F with a "
            "source or with the sources' maximum; 4 scales from 3 samples, 6 orientations, whole slice",
            elsewhere="filter bank constants, local windows"),
    _slices("q_piella", "Piella's Q", "1", "-1 to 1", **_BEST, pooling="joint", citation="G. Piella, H. Heijmans 2003",
            definition="universal quality index in windows 8 x 8, sources weighted by their variance share",
            elsewhere="Gaussian windows of 11"),
    _slices("q_w", "Piella's Q_W", "1", "-1 to 1", **_BEST, pooling="joint", citation="G. Piella, H. Heijmans 2003",
            definition="as q_piella, windows weighted by the largest source variance",
            elsewhere="Gaussian windows of 11"),
    _slices("q_e", "Piella's Q_E", "1", "-1 to 1", **_BEST, pooling="joint", citation="G. Piella, H. Heijmans 2003",
            definition="q_w times q_w of the Sobel magnitudes", elsewhere="other exponents of the edge part"),
    _slices("q_y", "Yang's Q_Y", "1", "-1 to 1", **_BEST, pooling="joint", citation="C. Yang et al. 2008",
            definition="Gaussian window 7 x 7 with sigma 1.5: SSIM shared by variance where the sources are alike "
            "(SSIM from 0.75), else of the better source; constants 2e-16", elsewhere="SSIM constants"),
    _slices("q_cb", "Chen-Blum Q_CB", "1", "0 to 1", **_BEST, pooling="joint", mask="blank",
            citation="Y. Chen, R. S. Blum 2009",
            definition="ratio of masked contrasts (difference of Gaussians, sensitivity 15.387 1.3456 0.7622, sigmas 2 "
            "and 4, masking 1 1 3 2 1e-4), weighted by squared contrast",
            elsewhere="images stretched to 0..255 each before, which hides lost contrast"),
    _slices("q_cv", "Chen-Varshney Q_CV", "grey levels^2", "0 to 65025", **_LEAST, pooling="joint", mask="blank",
            citation="H. Chen, P. K. Varshney 2007",
            definition="squared differences after the sensitivity filter 97.3227 12.1653 0.685, in blocks 16 x 16 "
            "weighted by the sum of g^5", elsewhere="another sensitivity filter (Mannos-Sakrison); stretched images"),
    _whole("scd", "Sum of correlations of differences", "1", "-S to S", **_BEST, pooling="sum",
           citation="V. Aslantas, E. Bendes 2015",
           definition="sum over the sources of corr(A, F - mean of the other sources)", elsewhere="same"),
    _whole("cc", "Correlation coefficient", "1", "-1 to 1", **_BEST, pooling="mean", citation="-",
           definition="mean over the sources of corr(A, F)", elsewhere="same"),
    _whole("mse", "Mean squared error", "grey levels^2", "0 to 65025", **_LEAST, pooling="mean", citation="-",
           definition="mean over the sources of the mean squared difference",
           elsewhere="on 0..1 images: 65025 times lower"),
    _whole("rmse", "Root mean squared error", "grey levels", "0 to 255", **_LEAST, pooling="mean", citation="-",
           definition="root of mse", elsewhere="mean of the sources' roots"),
    _whole("psnr", "Peak signal to noise ratio", "dB", "0 to inf", **_BEST, pooling="mean", citation="-",
           definition="10 log10(255^2 / mse); inf for identical images",
           elsewhere="peak 255 with errors on 0..1: 48.13 dB higher; see psnr_legacy"),
    _whole("psnr_legacy", "Peak signal to noise ratio by the largest value", "dB", "-inf to inf", **_BEST,
           pooling="mean", legacy=True, citation="-", definition="10 log10(max(F)^2 / mse)"),
    _whole("flicker", "Flicker between slices", "grey levels", "0 to 255", **_LEAST, pooling="joint",
           citation="defined here",
           definition="change of F between neighbouring slices beyond the largest change in any source, mean over the "
           "foreground of either slice; NaN for one slice"),
    _whole("func", "Functional fidelity FUNC", "1", "-1 to 1", **_ROLES, standard=True,
           definition="Pearson of F and B over the top decile of B (and above 2) with a collar of 3 samples in plane; "
           "NaN where one of them is constant"),
    _whole("flevel", "Functional level FLEVEL", "1", "0 to inf",
           **{**_ROLES, "higher_is_better": None}, definition="mean(F) / mean(B) strictly inside the top decile of B; "
           "1 keeps the level"),
    _slices("anat", "Anatomical detail ANAT", "1", "-1 to 1", **_ROLES, standard=True,
            definition="Pearson of the Sobel magnitudes of F and A over the foreground where the gradient energy of B "
            "(7 x 7 mean) is at or below its median there"),
    _whole("clin", "Both sources survive CLIN", "1", "-1 to 1", **_ROLES, standard=True, definition="min(func, anat)"),
    _whole("invent", "Invention INVENT", "share", "0 to 1", **_LEAST, pooling="joint", standard=True,
           citation="defined here",
           definition="share of the foreground with F more than 8 levels outside the 3 x 3 envelope of the sources"),
    _whole("bg", "Background level BG", "grey levels", "0 to 255", **_LEAST, pooling="joint", citation="defined here",
           definition="mean of F where all sources are at most 2 in a 5 x 5 neighbourhood; NaN without such a place"),
)  # fmt: skip
