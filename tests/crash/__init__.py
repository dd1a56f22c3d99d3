"""kill -9 at random moments; nothing acknowledged may be lost, nothing half done."""
