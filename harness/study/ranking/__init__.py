"""The study of rank quality: how well inherited scores order architectures trained alone."""
