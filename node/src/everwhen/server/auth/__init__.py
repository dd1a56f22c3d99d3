"""Who is there: the port that doors ask, and what answers it."""
