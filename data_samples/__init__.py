"""The sample scenes, and the script that draws them."""
