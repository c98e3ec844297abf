"""Zip archives, written as they are sent."""
