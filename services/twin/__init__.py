"""The SUMO adapter (optional extra `sumo`)."""
