"""Libraries over Neo4j's driver, used as their users would."""
