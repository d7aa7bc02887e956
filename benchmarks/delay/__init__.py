"""A far-away network: a TCP proxy in front of each SSH server that delivers late, and counts round trips."""
