"""What the fence promises, on real servers that are killed, stalled and started again."""
