"""``python -m everwhen_operator``."""

from __future__ import annotations

import sys

from everwhen_operator.main import main

sys.exit(main())
