"""From a profile to a live connection, and many of them side by side."""
