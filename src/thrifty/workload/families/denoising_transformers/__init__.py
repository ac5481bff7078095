"""Denoising networks of attention: images (DiT, PixArt, SD3, Flux), video (CogVideoX, Wan), and the prior of Make-A-Video."""
