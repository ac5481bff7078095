"""Models that look at one image: vision transformers and convolution nets."""
