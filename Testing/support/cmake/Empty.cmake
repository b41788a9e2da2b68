# Nothing to do in the stub.
