"""What several suites share: a server process, a client of the Query API."""
