"""How AWS behaves: one behaviour per file, each with the documentation or issue that describes it.

A behaviour concerns either calls (it sees a request before moto, or its reply) or objects (it patches moto's
models). One function, which receives the `World`, installs each.
"""
