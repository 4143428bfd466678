"""The registry of connection profiles; imports no redis."""
