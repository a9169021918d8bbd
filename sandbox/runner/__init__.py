"""Runs inside the sandbox: imports the standard library and numpy, never anything else of this project.

The package is imported twice under two names: as ``sandbox.runner`` by the driver (for the wire format and
the loader) and as ``runner`` by the interpreter that runs untrusted programs. Its modules therefore import
each other relatively.
"""
