"""Q_P: how well the fused image keeps the sources' phase congruency and its moments.

Phase congruency marks lines and edges of any contrast: places where the components of all scales
agree in phase. Filter bank and noise estimate follow P. Kovesi (1999) with his usual constants: the
moments need its orientations, which the monogenic signal of `transforms.phase_congruency` has not.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from MedFusionLib.metrics.frequency import frequency_grid
from MedFusionLib.metrics.slab import Slab

SCALES, ORIENTATIONS = 4, 6
SHORTEST_WAVE, SCALE_STEP, BANDWIDTH = 3.0, 2.1, 0.55
ANGULAR_SPREAD = math.pi / ORIENTATIONS / 1.2
NOISE_FACTOR, CUT_OFF, GAIN = 2.0, 0.5, 10.0
TINY = 1e-4


def phase_agreement(slab: Slab) -> dict[str, Tensor]:
    """``q_p`` of each slice: product over congruency, largest and smallest moment of the best correlation."""
    if min(slab.fused.shape[1:]) < 16:
        return {"q_p": slab.fused.new_full((len(slab.fused),), math.nan)}
    fused = phase_congruency(slab.fused)
    sources = [phase_congruency(source) for source in slab.sources]
    product = 1.0
    for kind in range(3):
        maps = [source[kind] for source in sources]
        best = [_correlation(one, fused[kind]) for one in (*maps, torch.stack(maps).amax(dim=0))]
        product = product * torch.stack(best).amax(dim=0)
    return {"q_p": product}


def phase_congruency(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Phase congruency summed over orientations, and the largest and smallest moment, each (K, H, W)."""
    spectrum = torch.fft.fft2(image)
    along_y, along_x = frequency_grid(image)
    radius = (along_x.square() + along_y.square()).sqrt()
    radius[0, 0] = 1
    radial = _radial_filters(radius)
    angle = torch.atan2(-along_y, along_x)
    total, xx, yy, xy = 0.0, 0.0, 0.0, 0.0
    for orientation in range(ORIENTATIONS):
        direction = orientation * math.pi / ORIENTATIONS
        turn = torch.atan2(torch.sin(angle - direction), torch.cos(angle - direction)).abs()
        spread = torch.exp(-turn.square() / (2 * ANGULAR_SPREAD**2))
        congruency = _congruency([torch.fft.ifft2(spectrum * (band * spread)) for band in radial])
        total = total + congruency
        x, y = congruency * math.cos(direction), congruency * math.sin(direction)
        xx, yy, xy = xx + x.square(), yy + y.square(), xy + 2 * x * y
    xx, yy, xy = (part / (ORIENTATIONS / 2) for part in (xx, yy, xy))
    root = (xy.square() + (xx - yy).square()).sqrt()
    return total / ORIENTATIONS, (xx + yy + root) / 2, (xx + yy - root) / 2


def _radial_filters(radius: Tensor) -> list[Tensor]:
    """Log-Gabor bands, with a low-pass that keeps the corners of the spectrum out."""
    low_pass = 1 / (1 + (radius / 0.45).pow(30))
    bands = []
    for scale in range(SCALES):
        centre = 1 / (SHORTEST_WAVE * SCALE_STEP**scale)
        band = torch.exp(-(radius / centre).log().square() / (2 * math.log(BANDWIDTH) ** 2)) * low_pass
        band[0, 0] = 0
        bands.append(band)
    return bands


def _congruency(responses: list[Tensor]) -> Tensor:
    """Energy above the noise over the sum of amplitudes, weighted by the spread of frequencies."""
    amplitudes = torch.stack([response.abs() for response in responses])
    even, odd = torch.stack([r.real for r in responses]), torch.stack([r.imag for r in responses])
    length = (even.sum(dim=0).square() + odd.sum(dim=0).square()).sqrt() + TINY
    mean_even, mean_odd = even.sum(dim=0) / length, odd.sum(dim=0) / length
    energy = (even * mean_even + odd * mean_odd - (even * mean_odd - odd * mean_even).abs()).sum(dim=0)
    energy = (energy - _noise_threshold(amplitudes[0])).clamp(min=0)
    total = amplitudes.sum(dim=0)
    width = (total / (amplitudes.amax(dim=0) + TINY) - 1) / (SCALES - 1)
    return energy / (1 + torch.exp((CUT_OFF - width) * GAIN)) / (total + TINY)


def _noise_threshold(finest: Tensor) -> Tensor:
    """Mean plus two deviations of the noise energy, from the median of the finest band, (K, 1, 1)."""
    tau = finest.flatten(1).median(dim=1).values / math.sqrt(math.log(4))
    step = 1 / SCALE_STEP
    total = tau * (1 - step**SCALES) / (1 - step)
    mean, deviation = total * math.sqrt(math.pi / 2), total * math.sqrt((4 - math.pi) / 2)
    return (mean + NOISE_FACTOR * deviation)[:, None, None]


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """Correlation of each slice; 1 for two maps without structure, 0 for one."""
    first = first - first.mean(dim=(1, 2), keepdim=True)
    second = second - second.mean(dim=(1, 2), keepdim=True)
    covariance = (first * second).mean(dim=(1, 2))
    spread = first.square().mean(dim=(1, 2)).sqrt() * second.square().mean(dim=(1, 2)).sqrt()
    return torch.where(spread > 0, covariance / spread, ((first == 0) & (second == 0)).all(dim=2).all(dim=1).to(spread))
