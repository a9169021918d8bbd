"""The only walker of a program's syntax tree."""
