"""What to do next: pure, total."""
