"""How AWS behaves, one behaviour per file, each with the documentation or issue that describes it.

A behaviour concerns either calls (it sees a request before moto does, or its reply) or objects (it is
patched into moto's models). Each is switched on by one function that gets the `World`.
"""
