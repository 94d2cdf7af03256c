"""JSON5: text becomes values that know their place."""
