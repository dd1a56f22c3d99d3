"""The interface of Kubernetes, as far as the operator uses it."""
