"""A search in a plane: the events where two observables are large, against those where one or none is, A = B C / D."""
