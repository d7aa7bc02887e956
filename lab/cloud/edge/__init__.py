"""The cloud's edge: a small HTTP proxy in front of its services, which counts requests and can misbehave on command."""
