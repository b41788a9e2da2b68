"""Whether a device is quicker in bfloat16 than in float32."""

from __future__ import annotations


def has_bfloat16(device: str) -> bool:
    """Whether convolutions in bfloat16 run at full speed; a CPU without instructions for it is quicker in float32."""
    import torch

    if device != "cpu":
        return True
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # the public list of abilities is younger than 2.6
    return bool(probe and probe())
