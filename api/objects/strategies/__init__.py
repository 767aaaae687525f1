"""The rules of each built kind, one file a family, brought together in `table`. Pure package."""
