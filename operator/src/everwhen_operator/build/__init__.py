"""Objects of Kubernetes from a spec: pure."""
