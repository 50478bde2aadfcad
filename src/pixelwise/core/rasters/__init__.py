"""Pictures that are read by windows."""
