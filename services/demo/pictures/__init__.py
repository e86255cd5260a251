"""Maps and charts as self-contained SVG and HTML: no library, no tile server, works from a file."""
