"""What every service shares: configuration, server, identity, errors, state, records."""
