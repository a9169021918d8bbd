"""Language models behind one protocol: clients, retries, prices and budgets."""
