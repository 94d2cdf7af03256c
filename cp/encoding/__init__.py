"""How others write numbers and texts: Go's numbers, percent-encoding. Pure, and for all rooms."""
