"""The guided tour of a running city, and the report it leaves."""
