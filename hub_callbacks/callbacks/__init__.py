"""The only room that knows Ultralytics: how we get into its trainers, and what its events mean to a session."""
