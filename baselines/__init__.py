"""One file a method; enhancers; recipes."""
