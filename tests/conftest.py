"""What all tests have in common."""

from hypothesis import settings

# A computer that has much else to do is no reason to fail an example.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
