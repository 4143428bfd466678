"""What the demo's workers run: three small businesses whose jobs mostly succeed."""
