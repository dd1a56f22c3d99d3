"""What ``everwhen import`` and ``everwhen sample`` are made of."""
