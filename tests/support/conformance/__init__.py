"""The parts of the conformance tests of kinds: clouds, fixtures, and assertions."""
