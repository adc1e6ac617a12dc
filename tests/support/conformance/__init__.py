"""What kinds are held to: clouds, surroundings, and how each is judged."""
