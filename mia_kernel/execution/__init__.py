"""Carry: order truth and the simulated venue."""
