"""Draw the pictures of Docs/tutorial.md from the real panel and the real views.

Usage: python tools/draw_tutorial.py [--out DIR] [--sarcoma DIR]

The panel is the module's own, in Qt without a screen, on the stand-in for Slicer's widgets that the tests use; the
views are Slicer's own, drawn offscreen. With ``--sarcoma`` (a folder with CT_image, PET_image and MR_T1_image as
NIfTI) another patient is drawn; such pictures are not for the repository.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "MedFusion"), str(PROJECT / "Testing" / "support")]

CELL_PIXELS = 245


def main(arguments: list[str] | None = None) -> int:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description="pictures of the tutorial")
    parser.add_argument("--out", type=Path, default=PROJECT / "Docs" / "tutorial")
    parser.add_argument("--sarcoma", type=Path, metavar="DIR", help="the sarcoma patient instead of the sample data")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    from MedFusionScene.headless import HeadlessApplication
    from slicer_qt import stage

    with tempfile.TemporaryDirectory() as folder, HeadlessApplication() as application:
        with stage(application, str(Path(folder) / "settings.ini")) as happened:
            draw(happened, application, options, Path(folder))
        for problem in (*happened.errors, *happened.dialogs):
            print(problem, file=sys.stderr)
        return 1 if happened.errors or happened.dialogs else 0


def draw(happened, application, options, scratch: Path) -> None:
    """Walk through the tutorial and draw every step."""
    from PIL import Image

    from MedFusion import MedFusionWidget
    from tutorial import Data, Tutorial, sarcoma

    data = sarcoma(options.sarcoma) if options.sarcoma else Data()
    happened.main_window = object()
    application.boot_layouts()
    widget = MedFusionWidget()
    widget.setup()
    walk = Tutorial(happened, widget, application, data, options.out, CELL_PIXELS)
    walk.load()
    walk.panel_picture("inputs", "inputs")
    print(walk.judge())
    walk.panel_picture("alignment", "alignment")
    walk.look("three-planes")
    walk.compare("checkerboard")
    walk.picture("checkerboard")
    walk.compare("checkerboard")  # the button has become Back
    walk.choose_tumour()
    walk.panel_picture("tumour", "tumour")
    walk.fuse()
    walk.panel_picture("fusion", "fusion")
    walk.look("three-planes")
    walk.picture("three_planes")
    print(walk.point_at(data.lesion_ras))
    walk.panel_picture("view", "view")
    walk.look("comparison")
    walk.picture("comparison")
    walk.look("fused-projection")
    walk.picture("projection")
    print(walk.export(scratch / "out", "Result", "Report"))
    walk.panel_picture("export", "export")
    walk.close_views()
    widget.cleanup()
    for path in options.out.glob("*.png"):
        with Image.open(path) as picture:
            picture.convert("RGB").save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
