"""Runner plugins: how tasks are spread over hosts."""
