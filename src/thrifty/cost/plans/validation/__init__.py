"""Measured runs as questions: what the models of plans say of them, and how far off they are."""
