"""What tests of several rooms share; it lies in the modules beside this one."""

pytest_plugins = ("tests.chromium", "tests.environments", "tests.hubs", "tests.stores", "tests.turns", "tests.wiretap")
