"""Bad input of every kind: answered in the documented shape, never a crash, never a hang."""
