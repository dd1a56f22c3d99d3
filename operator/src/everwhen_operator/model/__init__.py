"""The objects as typed facts."""
