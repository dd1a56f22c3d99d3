"""The whole node on deterministic twins: clock, chance, disk, threads, record."""
