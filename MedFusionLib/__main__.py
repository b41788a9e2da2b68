"""``python -m MedFusionLib`` is the same as ``medfusion``."""

import sys

from MedFusionLib.cli import main

sys.exit(main())
