"""The log: formats, where lines go without blocking anybody, and what is masked in them."""
