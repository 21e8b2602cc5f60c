"""Every number of the market by its own name, beside the score: read on demand, recorded on request."""
