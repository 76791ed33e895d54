"""Looking up what stands at an element, and bringing the alarm list to it."""
