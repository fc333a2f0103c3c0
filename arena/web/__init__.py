"""The web: pages, API and clips. Routes parse, call a room of the arena, and shape the answer."""
