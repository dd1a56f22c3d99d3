"""Bolt: the protocol that Neo4j's drivers speak. Bytes in, events out; sockets at the edge only."""
