"""The recorded day: a simulated weekday of a city as feed files in the real formats, and the server that replays it.

Everything is generated from the city's own timetable, streets and car parks with a fixed seed, labelled as simulated in every
file, and read by nothing but the production adapters, over HTTP.
"""
