"""Propose: a wish, never an order."""
