"""Who may do what: accounts, sessions, roles, grants, tokens, throttle, audit."""
