"""Rules of the house that no linter knows, as tests; exceptions stand here with their reason."""
