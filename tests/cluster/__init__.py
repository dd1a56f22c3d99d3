"""Several real processes: started together, broken on purpose, and what they answered judged."""
