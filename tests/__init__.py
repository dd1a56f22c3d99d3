"""Tests of the whole project; importable so that suites share engines and runners."""
