"""The parts of ``everwhen sh``: statements, the session, tables, completion."""
