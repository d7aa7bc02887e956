"""What should be true of a cluster's pod routes, as pure data and functions."""
