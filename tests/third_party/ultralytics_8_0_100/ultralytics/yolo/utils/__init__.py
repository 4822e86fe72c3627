import os

RANK = int(os.getenv("RANK", "-1"))
SETTINGS = {"hub": os.getenv("STUB_SETTINGS_HUB") != "False", "api_key": ""}
