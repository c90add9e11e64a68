"""Synthetic lesions that the packaged network is trained on."""
