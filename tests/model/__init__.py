"""Random histories against a model that cannot be wrong because it can do almost nothing."""
