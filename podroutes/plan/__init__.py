"""What should be true, and what differs: pure functions."""
