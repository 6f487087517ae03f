"""``python -m tyk_cffi``: the ``tyk-cffi`` command."""

import sys

from tyk_cffi.cli import main

sys.exit(main())
