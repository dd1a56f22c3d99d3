"""``python -m everwhen.cli``."""

import sys

from everwhen.cli.main import main

sys.exit(main())
