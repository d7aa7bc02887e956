"""What an engineer runs."""
