"""Models of text: decoders that write it, encoders that read it."""
