"""The manners of AWS, one a file, each with the documentation or issue that it comes from.

A manner is either of the call (it looks at a request before moto does, or at its reply) or of the
objects (it is put into moto's models). Each is switched on by one function that gets the `World`.
"""
