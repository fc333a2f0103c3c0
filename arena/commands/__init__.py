"""The commands, by the room they speak for."""
