"""One host: its state as read, and the scripts that read and change it."""
