"""From latents or tokens back to pixels: KL and VQ decoders of images, decoders of videos, and tokenisers that are transformers."""
