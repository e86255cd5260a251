"""Readers of delivery problems in other people's formats. Text and parsed JSON in, problems of the engine out."""
