"""From the inventory's data to a checked network plan."""
