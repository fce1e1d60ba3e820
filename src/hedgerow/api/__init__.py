"""What people and programs see of a node, and how they give it orders: views, and a small server on a Unix socket."""
