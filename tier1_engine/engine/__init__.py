"""The engine: decides the next action of a deployment, and performs it by the crash protocol."""
