"""Read dealer gamma from an option chain: forwards, exposure, levels, surface, and their place on the future."""
