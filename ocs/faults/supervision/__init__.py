"""What elements do not say: that they have fallen silent."""
