"""The seam between HTTP and the views, and a module per page."""
