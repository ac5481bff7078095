"""Denoising networks of convolutions: Stable Diffusion's and its kin, ModelScope's for video, Imagen's and Make-A-Video's, the last two with twins here."""
