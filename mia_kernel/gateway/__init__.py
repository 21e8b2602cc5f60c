"""Stand in: the simulated IB Gateway."""
