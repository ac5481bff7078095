"""Models that rank: embedding tables and perceptrons."""
