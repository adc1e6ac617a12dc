"""What people and programs are shown of a deployment, and what it costs."""
