"""Touch: the only rooms that meet the outside world, one file per outside thing."""
