"""Picture of a training: every term of the loss against the step."""

from __future__ import annotations

from pathlib import Path


def draw_curve(points: list[dict], path: Path, title: str) -> None:
    """Draw the terms of ``[{"step": 0, "ssim": 0.3, ...}, ...]``; nothing without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    steps = [point["step"] for point in points]
    for name in sorted({key for point in points for key in point} - {"step"}):
        axes.plot(steps, [point.get(name) for point in points], label=name, linewidth=1)
    axes.set(title=title, xlabel="step", ylabel="loss")
    if points:
        axes.legend(fontsize="small")
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=100)
