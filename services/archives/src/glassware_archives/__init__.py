"""The archives service: many sources in, one archive out."""
