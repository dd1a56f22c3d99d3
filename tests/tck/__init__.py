"""The openCypher Technology Compatibility Kit, read from ``$TCK`` and never copied here."""
