"""A stateful stand-in for Stripe on loopback, for tests and the demo.

It reads the shapes of requests from the installed SDK; its behaviour is our reading of Stripe's
documentation. It knows nothing of our own adapter, and our adapter nothing of it.
"""
