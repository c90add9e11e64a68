"""Arrays -> floats: the definitions of the handcrafted features."""
