"""The real thing."""
