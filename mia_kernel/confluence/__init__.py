"""Weigh: one score, every contribution kept."""
