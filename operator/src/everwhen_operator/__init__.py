"""The operator: watches GraphCluster objects and keeps their clusters as they ask.

``observe`` gathers facts, ``decide`` picks one action, ``act`` takes it, ``status`` reports.
"""
