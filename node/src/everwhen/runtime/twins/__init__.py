"""Twins of the ports: virtual time, seeded chance, a disk in memory that breaks, inline threads.

Everything they do follows from one seed and the order of calls, so a failing run can be repeated.
"""
