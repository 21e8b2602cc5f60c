"""Stand-ins for the outside world and invented runs."""
