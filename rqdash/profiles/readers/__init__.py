"""Connection settings in the files people have, as profiles and findings: read, never run.

read.py is the door; child.py is the process behind it, in which everything but validation happens; values.py says what comes out.
"""
