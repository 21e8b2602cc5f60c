"""Guard: the process that holds the order socket, the hard limits and the arming, and outlives the engine."""
