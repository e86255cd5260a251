"""A built-in queue model that obeys guarded commands: closed loop without any other program."""
