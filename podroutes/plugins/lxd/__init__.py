"""LXD and Incus over their REST API: what the connection plugin and the inventory plugin have in common."""
