"""Picture of a training: every term of the loss against the step."""

from __future__ import annotations

from pathlib import Path

SHARE = "accuracy"
"""Terms whose names begin so are shares of right answers, and get a panel of their own."""


def draw_curve(points: list[dict], path: Path, title: str) -> None:
    """Draw the terms of ``[{"step": 0, "ssim": 0.3, ...}, ...]``; nothing without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    names = sorted({key for point in points for key in point} - {"step"})
    shares = [name for name in names if name.startswith(SHARE)]
    panels = [([name for name in names if name not in shares], "loss")]
    panels += [(shares, "share of right answers")] if shares else []
    figure = Figure(figsize=(8, 4), layout="constrained")
    steps = [point["step"] for point in points]
    for axes, (shown, label) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        for name in shown:
            axes.plot(steps, [point.get(name) for point in points], label=name, linewidth=1)
        axes.set(title=title, xlabel="step", ylabel=label)
        if points:
            axes.legend(fontsize="small")
        axes.grid(visible=True, alpha=0.3)
        if shown is shares:
            axes.set_ylim(0, 1)
        elif shares:  # terms of an adversarial training differ by orders of magnitude
            axes.set_yscale("log")
    figure.savefig(path, dpi=100)
