"""Real processes under mixed load while things break; what clients were told is judged after."""
