"""Isolation anomalies as scripts of several sessions, for each isolation level."""
