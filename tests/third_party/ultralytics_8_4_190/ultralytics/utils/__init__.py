import os

RANK = int(os.getenv("RANK", "-1"))
SETTINGS = {"sync": True, "api_key": ""}  # there is no "hub" since 8.4.115
