"""Models of tables that choose among a fixed list of candidates: for classes, numbers and survival."""
