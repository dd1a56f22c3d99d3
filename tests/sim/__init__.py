"""The whole cluster in one process: production nodes on virtual time, network and disks."""
