"""``python -m lbbic_engine.cli`` is ``lbbic``."""

import sys

from lbbic_engine.cli import main

sys.exit(main())
