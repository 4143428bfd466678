"""The history of every backend: a recorder that samples, and what reads its samples."""
