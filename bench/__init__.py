"""Measurements: each prints one JSON line a figure, ours beside a peer's in the same run."""
