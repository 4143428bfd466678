"""What a page costs: round trips, commands, and how long it holds a server."""
