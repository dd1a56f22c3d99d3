"""Golden scripts; see :mod:`tests.golden.runner` for their form."""
