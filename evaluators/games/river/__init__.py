"""River subgames of heads-up no-limit hold'em."""
