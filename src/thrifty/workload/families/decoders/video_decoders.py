"""Decoders of latent videos, which end a video's generation and are most of its convolutions: CogVideoX's and Wan's."""

from thrifty.workload.families.decoders.cogvideox_decoder import CogvideoxDecoder as CogvideoxDecoder
from thrifty.workload.families.decoders.wan_decoder import WanDecoder as WanDecoder

__all__ = ["CogvideoxDecoder", "WanDecoder"]
