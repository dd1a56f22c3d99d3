"""Everwhen: a replicated, time-travelling graph and vector database."""
