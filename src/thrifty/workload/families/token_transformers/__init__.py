"""Transformers over tokens of images and videos: masked ones (Muse, Phenaki) and one that writes them one by one (Parti), with twins of our own."""
