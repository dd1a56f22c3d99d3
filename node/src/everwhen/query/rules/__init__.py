"""Rules of the planner, one per file; :mod:`everwhen.query.planner` says in which order."""
