"""Problem domains: what programs are scored on."""
