"""The printed columns of the kinds that show more than name and age. Pure package."""
