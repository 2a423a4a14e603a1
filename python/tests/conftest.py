"""`pytester` runs the plugin on small projects of their own."""

pytest_plugins = ["pytester"]
