"""One member of a replicated group: consensus core, log, record and peers, put together."""
