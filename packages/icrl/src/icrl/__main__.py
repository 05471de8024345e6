"""`python -m icrl` is the command `icrl`."""

import sys

from icrl.cli import main

sys.exit(main())
