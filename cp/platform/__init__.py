"""What the kernel and the C library offer or demand, and Python does not have."""
